//! The hypercall table: one row for each call, with a column for each kind of guest.
//!
//! The table gives the dispatcher, the names in traces and the list of what is implemented.
//! To add a call: write its handler `fn(&mut Cx, [u64; N]) -> HyperResult`, N being the number
//! of arguments it takes, and add a row. A `yes` says that guests of the kind may make the call;
//! for hardware-virtualised guests it must take frame numbers for the guest's own, and what it
//! copies must say how 32-bit code lays it out ([`xen_abi::compat`]); `wide` says that it does
//! not, and only 64-bit code may make the call.

#[cfg(test)]
mod documented;
mod multicall;
pub mod version;

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::compat::Width;

/// A call that is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub nr: u32,
    /// Its name, as in Xen's headers without the prefix.
    pub name: &'static str,
    /// Number of arguments.
    pub args: usize,
    /// PV guests may make it.
    pub pv: bool,
    /// Hardware-virtualised guests may.
    pub hvm: bool,
    /// And from 32-bit code too.
    pub narrow: bool,
}

fn arguments<const N: usize>(cx: &Cx) -> [u64; N] {
    let r = cx.cpu.regs();
    let all = [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9];
    core::array::from_fn(|i| if i < 6 { all[i] } else { 0 })
}

macro_rules! hypercalls {
    ($($nr:literal $name:ident $args:literal $pv:ident $hvm:ident $handler:path;)*) => {
        /// Every call that is implemented.
        pub const TABLE: &[Row] = &[$(Row {
            nr: $nr,
            name: stringify!($name),
            args: $args,
            pv: hypercalls!(@may $pv),
            hvm: hypercalls!(@may $hvm),
            narrow: hypercalls!(@narrow $hvm),
        }),*];

        /// Serves the call in a PV guest's registers.
        #[inline(always)]
        pub fn dispatch_pv(cx: &mut Cx, nr: u64) -> HyperResult {
            match nr {
                $($nr => hypercalls!(@$pv cx, $args, $handler),)*
                _ => Err(Fail::Errno(Errno::ENOSYS)),
            }
        }

        /// Serves the call in a hardware-virtualised guest's registers.
        #[inline(always)]
        pub fn dispatch_hvm(cx: &mut Cx, nr: u64) -> HyperResult {
            match nr {
                $($nr => hypercalls!(@$hvm cx, $args, $handler),)*
                _ => Err(Fail::Errno(Errno::ENOSYS)),
            }
        }

        /// Serves the call in the registers of a guest of whatever kind.
        pub fn dispatch(cx: &mut Cx, nr: u64) -> HyperResult {
            if cx.dom.hvm.get().is_some() {
                dispatch_hvm(cx, nr)
            } else {
                dispatch_pv(cx, nr)
            }
        }
    };
    (@may yes) => { true };
    (@may wide) => { true };
    (@narrow wide) => { false };
    (@narrow $other:ident) => { hypercalls!(@may $other) };
    (@may no) => { false };
    (@yes $cx:ident, $args:literal, $handler:path) => {{
        let args = arguments::<$args>($cx);
        $handler($cx, args)
    }};
    (@wide $cx:ident, $args:literal, $handler:path) => {
        if $cx.width == Width::W64 {
            hypercalls!(@yes $cx, $args, $handler)
        } else {
            Err(Fail::Errno(Errno::ENOSYS))
        }
    };
    (@no $cx:ident, $args:literal, $handler:path) => { Err(Fail::Errno(Errno::ENOSYS)) };
}

hypercalls! {
    0  set_trap_table                1 yes no  crate::pv::traps::set_trap_table;
    1  mmu_update                    4 yes no  crate::mem::mmu_update::call;
    2  set_gdt                       2 yes no  crate::pv::descriptors::set_gdt;
    3  stack_switch                  2 yes no  crate::pv::traps::stack_switch;
    5  fpu_taskswitch                1 yes no  crate::pv::traps::fpu_taskswitch;
    7  platform_op                   1 yes wide crate::platform::call;
    8  set_debugreg                  2 yes no  crate::pv::debug::set_debugreg;
    9  get_debugreg                  1 yes no  crate::pv::debug::get_debugreg;
    10 update_descriptor             2 yes no  crate::pv::descriptors::update_descriptor;
    12 memory_op                     2 yes yes crate::mem::memory_op::call;
    13 multicall                     2 yes yes multicall::call;
    14 update_va_mapping             3 yes no  crate::mem::update_va::call;
    15 set_timer_op                  2 yes yes crate::time::set_timer_op;
    17 xen_version                   2 yes yes version::call;
    18 console_io                    3 yes yes crate::console::console_io;
    20 grant_table_op                3 yes yes crate::grant::call;
    21 vm_assist                     2 yes yes crate::pv::traps::vm_assist;
    22 update_va_mapping_otherdomain 4 yes no  crate::mem::update_va::other_domain;
    23 iret                          0 yes no  crate::pv::iret::call;
    24 vcpu_op                       3 yes yes crate::time::vcpu_op;
    25 set_segment_base              2 yes no  crate::pv::traps::set_segment_base;
    26 mmuext_op                     4 yes yes crate::mem::mmuext::call;
    28 nmi_op                        2 yes no  crate::pv::traps::nmi_op;
    29 sched_op                      2 yes yes crate::sched::sched_op;
    30 callback_op                   2 yes no  crate::pv::traps::callback_op;
    32 event_channel_op              2 yes yes crate::event::call;
    33 physdev_op                    2 yes yes crate::irq::physdev_op;
    34 hvm_op                        2 yes yes crate::hvm::op::call;
    35 sysctl                        1 yes yes crate::control::sysctl::call;
    36 domctl                        1 yes yes crate::control::domctl::call;
    40 xenpmu_op                     2 yes yes crate::platform::no_performance_counters;
    42 hypfs_op                      5 yes yes crate::control::hypfs::call;
    48 mca                           1 yes no  crate::platform::mca::call;
}

/// The name of call `nr`, for traces.
pub fn name(nr: u64) -> &'static str {
    TABLE
        .iter()
        .find(|row| row.nr as u64 == nr)
        .map_or("?", |row| row.name)
}

/// SYSCALL's length: to execute it again, the instruction pointer goes back by this.
const SYSCALL_LEN: u64 = 2;

/// Serves a hypercall of the guest's kernel and puts the result where it expects it.
#[inline(always)]
pub fn pv_hypercall(cx: &mut Cx) {
    let nr = cx.cpu.regs().rax;
    match dispatch_pv(cx, nr) {
        Ok(value) => {
            // `iret` has replaced the whole frame, RAX included.
            if nr != xen_abi::hypercall::IRET as u64 {
                cx.cpu.regs_mut().rax = value as u64;
            }
        }
        Err(fail) => failed(cx, fail),
    }
}

#[cold]
fn failed(cx: &mut Cx, fail: Fail) {
    match fail {
        Fail::Errno(errno) => cx.cpu.regs_mut().rax = errno.neg() as u64,
        Fail::Restart => {
            let regs = cx.cpu.regs_mut();
            regs.rip = regs.rip.wrapping_sub(SYSCALL_LEN);
        }
        Fail::Crash(why) => crate::pv::crash(cx, why),
    }
}
