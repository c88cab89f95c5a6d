//! What is typed at the serial line: for the control domain, or for the hypervisor itself.
//!
//! Lock: [`Console::input`], never held while an event is sent or a key's report is written.

use super::Console;
use crate::hv::Hypervisor;
use crate::say;
use arrayvec::ArrayVec;
use machine::Cpu;
use xen_abi::xen::VIRQ_CONSOLE;

/// Bytes kept for the control domain; what it does not fetch in time is lost.
const ROOM: usize = 1024;
/// Bytes taken from the line at once.
const BATCH: usize = 256;
/// Times that the line is served for one interrupt.
const ROUNDS: usize = 16;
/// The switch's key has to be typed so often.
const TIMES: u8 = 3;

/// Input on its way.
pub struct Input {
    kept: [u8; ROOM],
    start: usize,
    end: usize,
    here: bool,
    seen: u8,
    key: Option<u8>,
}

/// What a byte that was typed comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing yet.
    Nothing,
    /// The control domain has input.
    Domain,
    /// A key of the hypervisor's.
    Key(u8),
    /// The input goes elsewhere from now on.
    Switched,
}

impl Input {
    /// No input yet. `key` is the letter that switches with Ctrl; `here` sends all to the
    /// hypervisor at first.
    pub const fn new(key: Option<u8>, here: bool) -> Input {
        Input {
            kept: [0; ROOM],
            start: 0,
            end: 0,
            here,
            seen: 0,
            key,
        }
    }

    /// Whether what is typed is for the hypervisor.
    pub fn is_here(&self) -> bool {
        self.here
    }

    /// The letter that switches with Ctrl.
    pub fn key(&self) -> Option<u8> {
        self.key
    }

    /// Takes a byte from the line.
    pub fn take(&mut self, byte: u8) -> Typed {
        let control = self.key.map(|letter| letter & 0x1f);
        if Some(byte) == control {
            self.seen += 1;
            if self.seen < TIMES {
                return Typed::Nothing;
            }
            self.seen = 0;
            self.here = !self.here;
            return Typed::Switched;
        }
        let held_back = core::mem::take(&mut self.seen);
        if self.here {
            return Typed::Key(byte);
        }
        for _ in 0..held_back {
            self.keep(control.unwrap_or(0));
        }
        self.keep(byte);
        Typed::Domain
    }

    fn keep(&mut self, byte: u8) {
        let next = (self.end + 1) % ROOM;
        if next != self.start
            && let Some(slot) = self.kept.get_mut(self.end)
        {
            *slot = byte;
            self.end = next;
        }
    }

    /// The input that waits for the control domain, as far as it lies in one piece.
    pub fn waiting(&self) -> &[u8] {
        let end = if self.end < self.start {
            ROOM
        } else {
            self.end
        };
        self.kept.get(self.start..end).unwrap_or_default()
    }

    /// Forgets the first `count` bytes of [`Input::waiting`].
    pub fn done(&mut self, count: usize) {
        self.start = (self.start + count.min(self.waiting().len())) % ROOM;
    }
}

impl Console {
    /// Lets input in, and ends the time in which all output is waited for.
    pub fn open(&self, hv: &Hypervisor, cpu: &mut Cpu) {
        if machine::console::port().is_none() {
            return;
        }
        self.say_where();
        let interrupts = machine::console::set_interrupts(true);
        machine::console::start(self.sync);
        if !interrupts {
            self.poll(hv, cpu);
        }
    }

    fn say_where(&self) {
        let input = self.input.lock();
        let to = if input.is_here() { "Xen" } else { "DOM0" };
        let key = input.key();
        drop(input);
        match key {
            Some(key) => self.say(format_args!(
                "*** Serial input to {to} (type 'CTRL-{}' three times to switch input)",
                char::from(key)
            )),
            None => self.say(format_args!("*** Serial input to {to}")),
        }
    }
}

/// The serial line has input, or room for output. It asks again only after it was served to the
/// end, so this goes on until then; but not for ever.
pub fn input(hv: &Hypervisor, cpu: &mut Cpu) {
    for _ in 0..ROUNDS {
        machine::console::pump();
        take(hv, cpu);
        if !machine::console::pending() {
            return;
        }
    }
    // The rest is done at this CPU's next look for work.
    hv.console.unfinished();
}

fn take(hv: &Hypervisor, cpu: &mut Cpu) {
    let mut for_domain = false;
    let mut switched = false;
    let mut keys = ArrayVec::<u8, BATCH>::new();
    let mut input = hv.console.input.lock();
    for byte in (0..BATCH).map_while(|_| machine::console::read()) {
        match input.take(byte) {
            Typed::Nothing => {}
            Typed::Domain => for_domain = true,
            Typed::Key(key) => keys.push(key),
            Typed::Switched => switched = true,
        }
    }
    drop(input);
    if switched {
        hv.console.say_where();
    }
    if for_domain && let Some(control) = hv.domain(0) {
        crate::event::send_global_virq(hv, cpu, &control, VIRQ_CONSOLE);
    }
    for key in keys {
        if !crate::debug_keys::press(hv, cpu, key) {
            say!(hv, "'{}' is no key; 'h' shows them", key.escape_ascii());
        }
    }
}
