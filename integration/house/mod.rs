//! The rules of the house: what the tree looks like, and what comes into the build.

mod dependencies;
mod tidy;
