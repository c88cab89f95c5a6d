//! The bootable image: the `machine` crate's boot code and the hypervisor's `main`, linked
//! together by `link.ld`.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

machine::entry_point!(
    hypervisor::start::main,
    hypervisor::cmdline::machine_settings
);
