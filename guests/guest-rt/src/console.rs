//! Text on the console: the hypervisor's for dom0, the ring that the domain builder left for a
//! guest that a toolstack made.
//!
//! One lock around a line buffer would order lines of several vCPUs; a `Line` is built on the
//! writer's stack and sent with one hypercall, which orders them just as well. The ring has a
//! lock. It is shared with the back end, and used as atomics.

use crate::hypercall;
use crate::mem::{self, Page, pte};
use crate::smp::Lock;
use core::fmt::{self, Write};
use core::sync::atomic::Ordering;
use xen_abi::event_channel::{EVTCHNOP_send, EvtchnSend};
use xen_abi::hypercall::SCHED_OP;
use xen_abi::sched::SCHEDOP_yield;
use xen_abi::start_info::SIF_INITDOMAIN;

/// Where things are in `struct xencons_interface`: the output ring, then its two indices.
const OUT: usize = 1024;
const OUT_SIZE: u32 = 2048;
const OUT_CONS: usize = 3080 / 4;
const OUT_PROD: usize = 3084 / 4;

/// The ring and the port that tells the back end of news.
static RING: Lock<Option<(Page, u32)>> = Lock::new(None);

/// Finds the ring, where there is one.
pub(crate) fn init() {
    let info = mem::start_info();
    if info.flags & SIF_INITDOMAIN != 0 {
        return;
    }
    let page = mem::alloc();
    if page.map(pte::entry(info.console[0], pte::DATA)).is_ok() {
        *RING.lock() = Some((page, info.console[1] as u32));
    }
}

/// Whether this kernel runs as a guest that a toolstack made, not as dom0.
pub fn is_guest() -> bool {
    mem::start_info().flags & SIF_INITDOMAIN == 0
}

/// The page of the pool in whose place the ring is, if there is one.
pub fn ring() -> Option<Page> {
    RING.lock().map(|(page, _)| page)
}

fn yield_cpu() {
    let _ = hypercall::call(SCHED_OP, [u64::from(SCHEDOP_yield), 0, 0, 0, 0]);
}

/// Puts `bytes` into the ring, waiting for room.
fn put(page: Page, port: u32, bytes: &[u8]) {
    for &byte in bytes {
        let produced = page.dword(OUT_PROD).load(Ordering::SeqCst);
        while produced.wrapping_sub(page.dword(OUT_CONS).load(Ordering::SeqCst)) >= OUT_SIZE {
            let _ = hypercall::evtchn(EVTCHNOP_send, &mut EvtchnSend { port });
            yield_cpu();
        }
        page.byte(OUT + (produced % OUT_SIZE) as usize)
            .store(byte, Ordering::SeqCst);
        page.dword(OUT_PROD)
            .store(produced.wrapping_add(1), Ordering::SeqCst);
    }
    let _ = hypercall::evtchn(EVTCHNOP_send, &mut EvtchnSend { port });
}

/// Waits until the back end has taken everything, or seems not to be there.
pub fn drain() {
    if let Some((page, _)) = *RING.lock() {
        for _ in 0..1_000_000 {
            let left = page.dword(OUT_PROD).load(Ordering::SeqCst)
                != page.dword(OUT_CONS).load(Ordering::SeqCst);
            if !left {
                return;
            }
            yield_cpu();
        }
    }
}

const LINE: usize = 512;

/// A line under construction; what does not fit is cut off.
pub struct Line {
    buf: [u8; LINE],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for &byte in s.as_bytes() {
            if let Some(slot) = self.buf.get_mut(self.len) {
                *slot = byte;
                self.len += 1;
            }
        }
        Ok(())
    }
}

/// Sends one formatted piece of text; used by [`crate::println!`].
pub fn print(args: fmt::Arguments<'_>) {
    let mut line = Line {
        buf: [0; LINE],
        len: 0,
    };
    let _ = line.write_fmt(args);
    let text = line.buf.get(..line.len).unwrap_or(&[]);
    match *RING.lock() {
        Some((page, port)) => put(page, port, text),
        None => {
            let _ = hypercall::console_write(text);
        }
    }
}

/// Prints a line on the console.
#[macro_export]
macro_rules! println {
    ($($arg:tt)*) => {
        $crate::console::print(format_args!("{}\n", format_args!($($arg)*)))
    };
}
