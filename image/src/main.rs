//! The bootable image: the `machine` crate's boot code and the hypervisor's `main`, linked
//! together by `link.ld`.
#![no_std]
#![no_main]

use machine as _;
