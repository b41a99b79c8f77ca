//! The header of a document: finds it, and reads its YAML into plain values with the line of each key.
