//! Range sets, numbers, delivery and messages, on the simulated machine.
