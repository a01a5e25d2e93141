//! The log: frames in files.
