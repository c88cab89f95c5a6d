//! Hypercalls through the hypercall page, as `Result<i64, i64>`: the error is Xen's positive
//! errno value.
//!
//! Unsafe: the call itself. A hypercall can change this kernel's own mappings; that is what the
//! kernels test, and what each of them must keep to frames of its pool.

use core::arch::asm;
use xen_abi::event_channel as ev;
use xen_abi::hypercall as nr;
use xen_abi::mmu::{MmuUpdate, MmuextOp};
use xen_abi::sched::{SCHEDOP_shutdown, SHUTDOWN_poweroff, SchedShutdown};
use xen_abi::xen::{CONSOLEIO_write, DOMID_SELF};

/// Success value, or the positive errno.
pub type HyperResult = Result<i64, i64>;

unsafe extern "C" {
    static hypercall_page: [u8; 4096];
}

/// The largest errno value; results below its negation are data.
const MAX_ERRNO: i64 = 4095;

/// The hypercall `nr` with five arguments and the raw result.
pub fn raw(nr: u32, args: [u64; 5]) -> i64 {
    let target = &raw const hypercall_page as u64 + u64::from(nr) * 32;
    let result: i64;
    // SAFETY: the hypercall ABI: five arguments in rdi, rsi, rdx, r10, r8, result in rax;
    // argument registers, rcx and r11 may change. No red zone on this target.
    unsafe {
        asm!(
            "call {target}",
            target = in(reg) target,
            inlateout("rdi") args[0] => _,
            inlateout("rsi") args[1] => _,
            inlateout("rdx") args[2] => _,
            inlateout("r10") args[3] => _,
            inlateout("r8") args[4] => _,
            out("rax") result,
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// A hypercall by its number in RAX, past the end of the hypercall page's filled slots too.
pub fn by_number(nr: u64, args: [u64; 5]) -> HyperResult {
    let result: i64;
    // SAFETY: as in `raw`; `SYSCALL` from a PV kernel enters the hypervisor.
    unsafe {
        asm!(
            "syscall",
            inlateout("rdi") args[0] => _,
            inlateout("rsi") args[1] => _,
            inlateout("rdx") args[2] => _,
            inlateout("r10") args[3] => _,
            inlateout("r8") args[4] => _,
            inlateout("rax") nr => result,
            out("rcx") _,
            out("r11") _,
        );
    }
    split(result)
}

pub(crate) fn split(result: i64) -> HyperResult {
    if (-MAX_ERRNO..0).contains(&result) {
        Err(-result)
    } else {
        Ok(result)
    }
}

/// Hypercall `nr` with up to five arguments.
pub fn call(nr: u32, args: [u64; 5]) -> HyperResult {
    split(raw(nr, args))
}

/// Hypercall `nr` whose first argument is a sub-operation and whose second is a structure.
pub fn op<T>(nr: u32, cmd: u32, arg: &mut T) -> HyperResult {
    call(nr, [u64::from(cmd), &raw mut *arg as u64, 0, 0, 0])
}

/// `event_channel_op`.
pub fn evtchn<T>(cmd: u32, arg: &mut T) -> HyperResult {
    op(nr::EVENT_CHANNEL_OP, cmd, arg)
}

/// `vcpu_op`.
pub fn vcpu<T>(cmd: u32, vcpu: u32, arg: &mut T) -> HyperResult {
    call(
        nr::VCPU_OP,
        [u64::from(cmd), u64::from(vcpu), &raw mut *arg as u64, 0, 0],
    )
}

/// `vcpu_op` without a structure.
pub fn vcpu_plain(cmd: u32, vcpu: u32) -> HyperResult {
    call(nr::VCPU_OP, [u64::from(cmd), u64::from(vcpu), 0, 0, 0])
}

/// `grant_table_op` on one element.
pub fn grant<T>(cmd: u32, arg: &mut T) -> HyperResult {
    call(
        nr::GRANT_TABLE_OP,
        [u64::from(cmd), &raw mut *arg as u64, 1, 0, 0],
    )
}

/// `memory_op`.
pub fn memory<T>(cmd: u32, arg: &mut T) -> HyperResult {
    op(nr::MEMORY_OP, cmd, arg)
}

/// `update_va_mapping`: the L1 entry of `va` becomes `entry`.
pub fn update_va_mapping(va: u64, entry: u64, flags: u64) -> HyperResult {
    call(nr::UPDATE_VA_MAPPING, [va, entry, flags, 0, 0])
}

/// `mmu_update` of this domain; also the number of requests that were done.
pub fn mmu_update(requests: &[MmuUpdate]) -> (HyperResult, u32) {
    mmu_update_of(requests, u64::from(DOMID_SELF))
}

/// `mmu_update` with the foreign-domain word spelled out.
pub fn mmu_update_of(requests: &[MmuUpdate], domains: u64) -> (HyperResult, u32) {
    let mut done = 0u32;
    let result = call(
        nr::MMU_UPDATE,
        [
            requests.as_ptr() as u64,
            requests.len() as u64,
            &raw mut done as u64,
            domains,
            0,
        ],
    );
    (result, done)
}

/// One `mmu_update`: the entry at machine address `ptr` (with the command in its low bits).
pub fn set_entry(ptr: u64, val: u64) -> HyperResult {
    mmu_update(&[MmuUpdate { ptr, val }]).0
}

/// One `mmuext_op`.
pub fn mmuext(cmd: u32, arg1: u64, arg2: u64) -> HyperResult {
    mmuext_many(&[MmuextOp {
        cmd,
        _pad0: 0,
        arg1,
        arg2,
    }])
    .0
}

/// Several `mmuext_op`s; also the number that were done.
pub fn mmuext_many(ops: &[MmuextOp]) -> (HyperResult, u32) {
    let mut done = 0u32;
    let result = call(
        nr::MMUEXT_OP,
        [
            ops.as_ptr() as u64,
            ops.len() as u64,
            &raw mut done as u64,
            u64::from(DOMID_SELF),
            0,
        ],
    );
    (result, done)
}

/// `console_io(write)` of some bytes.
pub fn console_write(text: &[u8]) -> HyperResult {
    call(
        nr::CONSOLE_IO,
        [
            u64::from(CONSOLEIO_write),
            text.len() as u64,
            text.as_ptr() as u64,
            0,
            0,
        ],
    )
}

/// `evtchn_op(send)`.
pub fn send(port: u32) -> HyperResult {
    evtchn(ev::EVTCHNOP_send, &mut ev::EvtchnSend { port })
}

/// Powers the machine, or the guest, off; does not return.
pub fn poweroff() -> ! {
    crate::console::drain();
    let mut arg = SchedShutdown {
        reason: SHUTDOWN_poweroff,
    };
    loop {
        let _ = op(nr::SCHED_OP, SCHEDOP_shutdown, &mut arg);
    }
}

/// Where the page of calls is, each of which executes SYSCALL.
pub fn page() -> u64 {
    &raw const hypercall_page as u64
}
