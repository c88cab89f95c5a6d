//! Tests of the simulated machine, and on it of the portable modules.
