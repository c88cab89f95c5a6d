//! Guests on the simulated machine: the whole hypervisor from exit to entry, several CPUs
//! interleaved by a seed, and afterwards a count of every reference.

extern crate std;

mod bed;
mod guest;
mod linear;
mod roots;
mod tables;
