//! The `console_io` hypercall: the control domain's own way to the serial line. A write that the
//! line is too slow for is taken up again until it is through.

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::xen::{CONSOLEIO_read, CONSOLEIO_write};

/// Bytes copied at once.
const CHUNK: usize = 128;
/// Room that the queue must have for more: the hypervisor's own lines have the rest.
const ROOM: usize = 4096;

/// The `console_io` hypercall. Errors: `EPERM` without privilege; `EFAULT`; `E2BIG` for more
/// than a result can count; `ENOSYS`.
#[allow(non_upper_case_globals, reason = "calls are named as in Xen's headers")]
pub fn console_io(cx: &mut Cx, [cmd, count, buffer]: [u64; 3]) -> HyperResult {
    cx.dom.require_privilege()?;
    let count = count as u32;
    match cmd as u32 {
        CONSOLEIO_write => write(cx, count, buffer),
        CONSOLEIO_read => read(cx, count, buffer),
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn write(cx: &mut Cx, count: u32, buffer: u64) -> HyperResult {
    let mut chunk = [0u8; CHUNK];
    let mut done = 0u32;
    while done < count {
        // A full queue is not waited for here: whoever else wants the CPU has it meanwhile.
        let full = machine::console::room() < ROOM && {
            machine::console::pump();
            machine::console::room() < ROOM
        };
        if full {
            cx.reschedule();
        }
        if full || (done != 0 && cx.cpu.work_pending()) {
            let rest = buffer.wrapping_add(done.into());
            cx.set_args([CONSOLEIO_write.into(), (count - done).into(), rest]);
            return Err(Fail::Restart);
        }
        let length = (count - done).min(CHUNK as u32);
        let part = chunk.get_mut(..length as usize).unwrap_or_default();
        cx.copy_in_bytes(GuestPtr::new(buffer.wrapping_add(done.into())), part)?;
        cx.hv.console.write(part);
        done += length;
    }
    Ok(0)
}

fn read(cx: &mut Cx, count: u32, buffer: u64) -> HyperResult {
    if count > i32::MAX as u32 {
        return Err(Errno::E2BIG.into());
    }
    let mut chunk = [0u8; CHUNK];
    let mut done = 0u32;
    while done < count {
        let input = cx.hv.console.input.lock();
        let waiting = input.waiting();
        let length = waiting.len().min(CHUNK).min((count - done) as usize);
        for (to, from) in chunk.iter_mut().zip(waiting) {
            *to = *from;
        }
        // The guest's memory is written without the lock, and then the bytes are taken: only
        // the control domain reads.
        drop(input);
        if length == 0 {
            break;
        }
        let part = chunk.get(..length).unwrap_or_default();
        cx.copy_out_bytes(GuestPtr::new(buffer.wrapping_add(done.into())), part)?;
        cx.hv.console.input.lock().done(length);
        done += length as u32;
    }
    Ok(done.into())
}
