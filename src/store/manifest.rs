//! The list of the files of a branch.
