//! Guests on the simulated machine: the whole hypervisor from exit to entry, several CPUs
//! interleaved by a seed, and a judge of what comes of it.
//!
//! Two kinds. [`script`]s: a control domain and two others do whatever a guest can do, made up
//! by a seed ([`generate`]), played ([`world`], [`play`]), judged ([`judge`]), and when something
//! is wrong cut down to what it takes ([`shrink`]); `tests/sim` runs them by the thousand. And
//! tests of page tables under fire (`tables`, `roots`), which set up less and run faster.

mod arguments;
pub mod calls;
mod chance;
mod generate;
pub mod judge;
mod layout;
mod op;
mod plans;
mod play;
pub mod reach;
mod resume;
pub mod script;
pub mod session;
mod shrink;
mod value;
mod world;

pub use generate::{script, twin_script};
pub use shrink::shrink;

#[cfg(test)]
mod bed;
#[cfg(test)]
mod guest;
#[cfg(test)]
mod linear;
#[cfg(test)]
mod regressions;
#[cfg(test)]
mod roots;
#[cfg(test)]
mod tables;
