//! Reading the log, for `XEN_SYSCTL_readconsole`.

use super::Console;
use crate::cx::Cx;
use crate::guest::GuestPtr;
use xen_abi::Errno;
use xen_abi::sysctl::SysctlReadconsole;

/// Bytes copied under one hold of the lock.
const CHUNK: usize = 256;

impl Console {
    /// The byte that a reader begins at who has read up to `index`: the oldest there is unless
    /// it reads on from the last time.
    fn first(&self, incremental: bool, index: u32) -> u32 {
        let ring = &self.out.lock().ring;
        let (start, end) = (ring.start(), ring.end());
        let behind = end.wrapping_sub(index);
        if incremental && behind < end.wrapping_sub(start) {
            index
        } else {
            start
        }
    }

    fn fetch(&self, number: u32, chunk: &mut [u8]) -> usize {
        self.out.lock().ring.read(number, chunk)
    }

    /// Writes the log to the serial line once more.
    pub fn show_log(&self) {
        let mut at = self.first(false, 0);
        let end = self.out.lock().ring.end();
        let mut chunk = [0u8; CHUNK];
        while at != end {
            let room = CHUNK.min(end.wrapping_sub(at) as usize);
            let length = self.fetch(at, chunk.get_mut(..room).unwrap_or_default());
            if length == 0 {
                return;
            }
            self.write_line_only(chunk.get(..length).unwrap_or_default());
            at = at.wrapping_add(length as u32);
        }
    }

    /// The whole log, for tests.
    #[cfg(test)]
    pub(super) fn fetch_all(&self, into: &mut [u8]) -> usize {
        self.fetch(self.first(false, 0), into)
    }

    fn forget_before(&self, number: u32) {
        self.out.lock().ring.forget_before(number);
    }
}

/// `XEN_SYSCTL_readconsole`: fills the caller's buffer, says how much and from where to go on,
/// and drops what was read if told to. Errors: `EFAULT`.
pub fn read_log(cx: &mut Cx, op: &mut SysctlReadconsole) -> Result<(), Errno> {
    let console = &cx.hv.console;
    let mut at = console.first(op.incremental != 0, op.index);
    let mut done = 0u32;
    let mut chunk = [0u8; CHUNK];
    // The ring's length bounds this, unless lines come as fast as they are read.
    while done < op.count {
        let room = CHUNK.min((op.count - done) as usize);
        let length = console.fetch(at, chunk.get_mut(..room).unwrap_or_default());
        if length == 0 {
            break;
        }
        let to = GuestPtr::new(op.buffer.wrapping_add(done.into()));
        cx.copy_out_bytes(to, chunk.get(..length).unwrap_or_default())?;
        done += length as u32;
        at = at.wrapping_add(length as u32);
    }
    if op.clear != 0 {
        console.forget_before(at);
    }
    op.count = done;
    op.index = at;
    Ok(())
}
