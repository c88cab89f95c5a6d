//! The smallest kernel: one line on the console, then power off.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

guest_rt::kernel!(main);

fn main() {
    guest_rt::println!(
        "GUEST-HELLO from a PV kernel, start_info at {:#x}",
        guest_rt::entry::start_info_va()
    );
    guest_rt::println!("PASS hello");
    guest_rt::println!("GUEST-END passed=1 failed=0");
}
