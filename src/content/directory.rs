//! A plain directory: walked without following links, watched where the system can.
