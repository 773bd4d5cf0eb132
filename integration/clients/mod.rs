//! Clients that others wrote, unchanged: the scripts beside this file.

mod seeds;
