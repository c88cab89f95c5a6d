//! The console: the hypervisor's log, and the serial line in both directions.
//!
//! A line goes to the serial line and into a ring ([`ring`]) that the tools read. Lines that a
//! guest can cause are limited ([`limit`]). What is typed goes to the control domain or to the
//! hypervisor ([`input`]). Locks: [`Console`]'s own two, of the highest level, so anything may
//! log under any lock; neither is held while something else is done.
//!
//! The serial line is slow, so text waits in `machine`'s queue and is sent by its interrupt, or
//! by a timer where it has none; a crash sends what waits. `sync_console` leaves the queue out.
//! When the queue is full, the hypervisor's own lines wait, lines about guests go to the ring
//! alone, and the control domain's text is taken later ([`io`]).

mod banner;
mod input;
mod io;
mod levels;
mod limit;
mod read;
mod ring;
mod stamp;

#[cfg(test)]
mod tests;

pub use banner::banner;
pub use input::input;
pub use io::console_io;
pub use read::read_log;

use crate::cmdline::{self, Options, Stamp};
use crate::hv::Hypervisor;
use crate::locks;
use arrayvec::ArrayString;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use input::Input;
use levels::Levels;
use limit::Limit;
use machine::{Cpu, CpuApi, Lock};
use ring::Ring;
use stamp::Moment;
use xen_abi::xen::VIRQ_CON_RING;

/// How important a line is. Xen's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken.
    Error,
    /// Something is wrong.
    Warning,
    /// Worth knowing.
    Info,
    /// For whoever looks for a fault.
    Debug,
}

impl From<Level> for cmdline::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => cmdline::Level::Error,
            Level::Warning => cmdline::Level::Warning,
            Level::Info => cmdline::Level::Info,
            Level::Debug => cmdline::Level::Debug,
        }
    }
}

/// Where lines go, and how many went.
struct Output {
    ring: Ring,
    own: Limit,
    guests: Limit,
    /// About now, nanoseconds since boot: for lines that come without a time.
    now: u64,
    stamp: Stamp,
    /// Lines that the serial line was too slow for.
    unsent: u64,
}

/// Room that the serial line's queue must have for a line about a guest.
const LINE_ROOM: usize = 1024;
/// How often the line is asked for room and input where it has no interrupt: while text waits,
/// and else. At 115,200 baud a transmitter of 16 bytes is empty after 1.4 ms.
const POLL_BUSY: u64 = 1_000_000;
const POLL_IDLE: u64 = 10_000_000;

/// A line on its way: each of its lines begins with the prefix.
struct Line<'a> {
    out: &'a mut Output,
    begins: bool,
    /// It goes to the serial line too.
    sent: bool,
    moment: Moment,
}

impl Line<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if self.sent {
            machine::console::write(bytes);
        }
        self.out.ring.push(bytes);
    }
}

impl Line<'_> {
    fn stamp(&mut self) {
        if self.moment.form != Stamp::None {
            let mut text = ArrayString::<32>::new();
            // The longest form is shorter.
            let _ = fmt::Write::write_fmt(&mut text, format_args!("{}", self.moment));
            self.put(text.as_bytes());
        }
    }
}

impl fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive('\n') {
            if core::mem::take(&mut self.begins) {
                self.put(b"(XEN) ");
                self.stamp();
            }
            self.put(part.as_bytes());
            self.begins = part.ends_with('\n');
        }
        Ok(())
    }
}

impl Output {
    fn line(&mut self, booted: u64, sent: bool, args: fmt::Arguments) {
        let moment = Moment {
            form: self.stamp,
            now: machine::now_ns(),
            booted,
        };
        let mut line = Line {
            out: self,
            begins: true,
            sent,
            moment,
        };
        // Writing to the line cannot fail; a value's own formatting may, and shows as it can.
        let _ = fmt::Write::write_fmt(&mut line, args);
        line.put(b"\n");
    }
}

/// The console.
pub struct Console {
    out: Lock<Output>,
    input: Lock<Input>,
    /// Which of the hypervisor's own messages are shown.
    pub own: Levels,
    /// Which messages about guests are.
    pub guests: Levels,
    domain_to_ring: bool,
    sync: bool,
    /// Nanoseconds from 1970 to boot, for stamps.
    booted: AtomicU64,
    /// There is something to do for [`turn`].
    busy: AtomicBool,
    /// There is something in the log that its readers were not told of.
    new: AtomicBool,
    /// The line has to be asked for input.
    polled: AtomicBool,
    /// The line asked for more than was done at once.
    unserved: AtomicBool,
}

impl Default for Console {
    fn default() -> Self {
        Console::new(&Options::default())
    }
}

impl Console {
    /// A console as the command line has it, with the boot code's lines in its log.
    pub fn new(options: &Options) -> Console {
        let mut ring = Ring::new(options.conring_size);
        machine::console::early_log(&mut |text| ring.push(text.as_bytes()));
        let out = Output {
            ring,
            own: Limit::new(),
            guests: Limit::new(),
            now: 0,
            stamp: options.stamp,
            unsent: 0,
        };
        let switch = options.conswitch;
        let input = Input::new(switch.key, switch.starts_here);
        Console {
            out: Lock::new(locks::CONSOLE, out),
            input: Lock::new(locks::CONSOLE, input),
            own: Levels::new(options.loglvl),
            guests: Levels::new(options.guest_loglvl),
            domain_to_ring: options.console_to_ring,
            sync: options.sync_console,
            booted: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            new: AtomicBool::new(false),
            polled: AtomicBool::new(false),
            unserved: AtomicBool::new(false),
        }
    }

    /// Logs a line whatever the level asked for.
    pub fn say(&self, args: fmt::Arguments) {
        self.out.lock().line(self.booted(), true, args);
        self.news();
    }

    /// Tells what the wall clock stood at when system time was zero, nanoseconds since 1970.
    pub fn set_date(&self, booted: u64) {
        self.booted.store(booted, Ordering::Relaxed);
    }

    /// What stands in front of each line.
    pub fn stamp(&self) -> Stamp {
        self.out.lock().stamp
    }

    /// Sets it for the lines that follow.
    pub fn set_stamp(&self, stamp: Stamp) {
        self.out.lock().stamp = stamp;
    }

    /// The log has something new.
    fn news(&self) {
        self.new.store(true, Ordering::Relaxed);
        self.busy.store(true, Ordering::Relaxed);
    }

    fn booted(&self) -> u64 {
        self.booted.load(Ordering::Relaxed)
    }

    /// Logs a line of the hypervisor's own.
    pub fn log(&self, level: Level, args: fmt::Arguments) {
        let level = cmdline::Level::from(level);
        let limits = self.own.get();
        if level <= limits.always {
            self.say(args);
        } else if level <= limits.limited {
            let mut out = self.out.lock();
            let now = out.now;
            if let Some(missed) = out.own.pass(now) {
                self.limited(&mut out, missed, true, args);
            }
            self.news();
        }
    }

    /// Logs a line about what a guest did, at `now` nanoseconds since boot.
    pub fn log_guest(&self, level: Level, now: u64, domid: u16, vcpu: u32, args: fmt::Arguments) {
        let level = cmdline::Level::from(level);
        let limits = self.guests.get();
        if level > limits.limited {
            return;
        }
        let mut out = self.out.lock();
        out.now = out.now.max(now);
        let pass = if level <= limits.always {
            Some(0)
        } else {
            out.guests.pass(now)
        };
        if let Some(missed) = pass {
            // A guest's doing must not make this CPU wait for the line.
            let sent = machine::console::room() >= LINE_ROOM;
            let unsent = if sent {
                core::mem::take(&mut out.unsent)
            } else {
                out.unsent += 1;
                0
            };
            if unsent != 0 {
                let args = format_args!("{unsent} lines about guests are in the log alone");
                out.line(self.booted(), true, args);
            }
            let args = format_args!("d{domid}v{vcpu} {args}");
            self.limited(&mut out, missed, sent, args);
        }
        self.news();
    }

    fn limited(&self, out: &mut Output, missed: u64, sent: bool, args: fmt::Arguments) {
        if missed != 0 {
            let args = format_args!("{missed} messages suppressed");
            out.line(self.booted(), sent, args);
        }
        out.line(self.booted(), sent, args);
    }

    /// Writes the control domain's bytes, as they are.
    fn write(&self, bytes: &[u8]) {
        let mut out = self.out.lock();
        machine::console::write(bytes);
        if self.domain_to_ring {
            out.ring.push(bytes);
            self.news();
        }
    }

    /// Writes to the serial line what is in the ring already.
    fn write_line_only(&self, bytes: &[u8]) {
        let _out = self.out.lock();
        machine::console::write(bytes);
    }

    /// The line could not be served to the end.
    fn unfinished(&self) {
        self.unserved.store(true, Ordering::Relaxed);
        self.busy.store(true, Ordering::Relaxed);
    }

    /// The line has no interrupt: a timer of this CPU asks it from now on.
    fn poll(&self, hv: &Hypervisor, cpu: &mut Cpu) {
        self.polled.store(true, Ordering::Relaxed);
        poll(hv, cpu);
    }
}

/// What the console has to do now and then: each CPU calls it when it looks for work.
#[inline(always)]
pub fn turn(hv: &Hypervisor, cpu: &mut Cpu) {
    if hv.console.busy.load(Ordering::Relaxed) {
        work(hv, cpu);
    }
}

#[cold]
fn work(hv: &Hypervisor, cpu: &mut Cpu) {
    let console = &hv.console;
    console.busy.store(false, Ordering::Relaxed);
    let now = cpu.now();
    let mut out = console.out.lock();
    out.now = out.now.max(now);
    drop(out);
    if console.new.swap(false, Ordering::Relaxed)
        && let Some(control) = hv.domain(0)
    {
        crate::event::send_global_virq(hv, cpu, &control, VIRQ_CON_RING);
    }
    if console.unserved.swap(false, Ordering::Relaxed) {
        input(hv, cpu);
    }
    if machine::console::pump() {
        console.busy.store(true, Ordering::Relaxed);
    }
}

/// Asks a line without interrupts for room and input, and sets when it is asked again.
#[cold]
pub fn poll(hv: &Hypervisor, cpu: &mut Cpu) {
    if hv.console.polled.load(Ordering::Relaxed) {
        input(hv, cpu);
        let waits = machine::console::pump();
        let period = if waits { POLL_BUSY } else { POLL_IDLE };
        let due = cpu.now().saturating_add(period);
        hv.clocks.timers.set_poll(cpu, due);
    }
}

/// Logs a line: `log!(hv, Info, "text {}", value)`.
#[macro_export]
macro_rules! log {
    ($hv:expr, $level:ident, $($arg:tt)*) => {
        $hv.console.log($crate::console::Level::$level, format_args!($($arg)*))
    };
}

/// Logs a line whatever `loglvl` is: `say!(hv, "text {}", value)`.
#[macro_export]
macro_rules! say {
    ($hv:expr, $($arg:tt)*) => {
        $hv.console.say(format_args!($($arg)*))
    };
}

/// Logs a line about the calling guest: `guest_log!(cx, Warning, "text")`. Such lines are
/// limited by `guest_loglvl`.
#[macro_export]
macro_rules! guest_log {
    ($cx:expr, $level:ident, $($arg:tt)*) => {
        $cx.hv.console.log_guest(
            $crate::console::Level::$level, machine::CpuApi::now(&*$cx.cpu),
            $cx.vcpu.domid, $cx.vcpu.id, format_args!($($arg)*))
    };
}
