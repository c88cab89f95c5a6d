//! Tests of the simulated machine, and on it of the portable modules.

mod build;
mod frames;
mod guests;
mod heap;
mod memory;
mod nested;
mod runs;
mod time;
mod types;
