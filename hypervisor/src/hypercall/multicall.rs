//! The `multicall` hypercall: several calls in one.

use super::dispatch;
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::compat::Ulong;
use xen_abi::field_offset;
use xen_abi::hypercall::{IRET, MULTICALL};
use xen_abi::xen::MulticallEntry;

/// Calls between two looks at other work.
const LOOK: u64 = 4;

/// Serves `count` calls from the guest's array. A call that has to be restarted leaves its new
/// arguments in the array, and the multicall goes on there. The caller's own registers hold
/// each call's arguments meanwhile and are put back, as a caller may rely on.
pub fn call(cx: &mut Cx, args: [u64; 2]) -> HyperResult {
    let r = *cx.cpu.regs();
    let own = [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9];
    let result = serve(cx, args);
    let mut back = own;
    if let (Err(Fail::Restart), [list, count, ..]) = (&result, &mut back) {
        // What is left to do.
        (*list, *count) = (cx.cpu.regs().rdi, cx.cpu.regs().rsi);
    }
    cx.set_args(back);
    result
}

fn serve(cx: &mut Cx, [list, count]: [u64; 2]) -> HyperResult {
    let list = GuestPtr::<MulticallEntry>::new(list);
    list.check()?;
    for i in 0..count {
        // Each call that can take long looks for itself.
        if i > 0 && i % LOOK == 0 && cx.cpu.work_pending() {
            cx.set_args([cx.at(list, i).addr(), count - i]);
            return Err(Fail::Restart);
        }
        let at = cx.at(list, i);
        let entry: MulticallEntry = cx.copy_in(at)?;
        cx.set_args(entry.args);
        let result = if entry.op == IRET as u64 && cx.dom.hvm.get().is_some() {
            Err(Fail::Errno(Errno::ENOSYS))
        } else if entry.op == MULTICALL as u64 || entry.op == IRET as u64 {
            Err(Fail::Errno(Errno::EINVAL))
        } else {
            dispatch(cx, entry.op)
        };
        let value = match result {
            Ok(value) => value,
            Err(Fail::Errno(errno)) => errno.neg(),
            Err(Fail::Restart) => {
                let r = *cx.cpu.regs();
                let args = [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9].map(Ulong);
                let to = field_offset!(cx.width, MulticallEntry, args);
                cx.copy_out(at.offset(to as u64), &args)?;
                cx.set_args([at.addr(), count - i]);
                return Err(Fail::Restart);
            }
            Err(crash) => return Err(crash),
        };
        let to = field_offset!(cx.width, MulticallEntry, result);
        cx.copy_out(at.offset(to as u64), &Ulong(value as u64))?;
        if !cx.live && i + 1 < count {
            // The call gave up the CPU: the rest waits for the vCPU's next turn.
            cx.set_args([cx.at(list, i + 1).addr(), count - i - 1]);
            return Err(Fail::Restart);
        }
    }
    Ok(0)
}
