//! Which documents are which issues: matches what a source holds now with what was known before. Pure.
