//! Allow-lists for feed, mail and web. Never svg, math, script or style.
