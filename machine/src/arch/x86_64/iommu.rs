//! AMD's IOMMUs (specification 48882): a device table, a command queue, a log of events.
//!
//! Why unsafe: reads and writes the pages shared with the units. Owns their registers. Lock:
//! `UNITS`, held while a unit carries a command out, which takes no other CPU. Invariant: a
//! unit that is on has a device table in which every device goes through the tables that
//! [`enable`] was given.

use core::sync::atomic::{AtomicU64, Ordering};

use arrayvec::ArrayVec;

use super::clock;
use super::galloc::HeapPages;
use super::layout::DIRECT_MAP_VA;
use super::mmio::Mmio;
use super::paging::TableSource;
use crate::addr::Mfn;
use crate::heap::Block;
use crate::iommu::Fault;
use crate::nested::LEVELS;
use crate::platform::Platform;

/// Bytes of a unit's registers.
const WINDOW: u64 = 0x4000;
const DEVICE_TABLE: u64 = 0;
const COMMANDS: u64 = 0x8;
const EVENTS: u64 = 0x10;
const CONTROL: u64 = 0x18;
const FEATURES: u64 = 0x30;
const COMMAND_TAIL: u64 = 0x2008;
const COMMAND_HEAD: u64 = 0x2000;
const EVENT_HEAD: u64 = 0x2010;
const EVENT_TAIL: u64 = 0x2018;
const STATUS: u64 = 0x2020;

const ENABLE: u32 = 1;
const LOG_EVENTS: u32 = 1 << 2;
const COHERENT: u32 = 1 << 10;
const TAKE_COMMANDS: u32 = 1 << 12;
const OVERFLOW: u32 = 1;
/// It knows the command to forget everything.
const FORGETS_ALL: u32 = 1 << 6;

/// Bytes of the queue and of the log; their length as the base registers have it (256 entries).
const QUEUE: u32 = 4096;
const QUEUE_LENGTH: u64 = 8 << 56;
/// Bytes of an entry of either.
const ENTRY: u32 = 16;

const WAIT: u64 = 1 << 60;
const WAIT_STORE: u64 = 1;
const FORGET_DEVICE: u64 = 2 << 60;
const FORGET_PAGES: u64 = 3 << 60;
const FORGET_ALL: u64 = 8 << 60;
/// All pages, and the tables above them.
const EVERY_PAGE: u64 = 0x7fff_ffff_ffff_f000 | 3;

/// The domain's number in the units' caches.
const DOMAIN: u64 = 1;
/// Device numbers; bytes of an entry of the table.
const DEVICES: u64 = 1 << 16;
const DEVICE_ENTRY: u64 = 32;
const VALID: u64 = 1;
const TRANSLATED: u64 = 1 << 1;
const LEVELS_SHIFT: u32 = 9;
const MAY_READ: u64 = 1 << 61;
const MAY_WRITE: u64 = 1 << 62;

/// Commands between waits: the queue holds more.
const BATCH: u64 = 128;
/// How long a unit may take for a command, nanoseconds.
const PATIENCE: u64 = 1_000_000_000;

struct Unit {
    registers: Mmio,
    /// Bits of the control register that the firmware asks for.
    wishes: u32,
    /// Machine addresses of the queue, the log, and the word that the end of a command sets.
    commands: u64,
    events: u64,
    done: u64,
    tail: u32,
    on: bool,
}

static UNITS: spin::Mutex<ArrayVec<Unit, 16>> = spin::Mutex::new(ArrayVec::new_const());

/// The words of a page that [`HeapPages`] gave.
fn words(page: u64) -> &'static [AtomicU64; 512] {
    // SAFETY: a page of the heap that is never given back, in the direct map; it is only ever
    // reached as atomics.
    unsafe { &*((DIRECT_MAP_VA + page) as *const [AtomicU64; 512]) }
}

fn word(page: u64, index: u32) -> Option<&'static AtomicU64> {
    words(page).get(index as usize)
}

impl Unit {
    fn new(addr: u64, flags: u8) -> Option<Unit> {
        let registers = Mmio::map(addr, WINDOW)?;
        if registers.read32(FEATURES) == u32::MAX {
            return None;
        }
        let mut page = || HeapPages.table();
        let flags = u32::from(flags);
        Some(Unit {
            registers,
            // HyperTransport tunnel, posted writes that pass, both ways, isochronous.
            wishes: (flags & 1) << 1 | (flags & 6) << 7 | (flags & 8) << 8,
            commands: page()?,
            events: page()?,
            done: page()?,
            tail: 0,
            on: false,
        })
    }

    fn write64(&self, register: u64, value: u64) {
        self.registers.write32(register, value as u32);
        self.registers.write32(register + 4, (value >> 32) as u32);
    }

    fn control(&self, bits: u32) {
        self.write64(CONTROL, u64::from(bits));
    }

    fn put(&mut self, command: [u64; 2]) {
        for (index, value) in (self.tail / 8..).zip(command) {
            if let Some(word) = word(self.commands, index) {
                word.store(value, Ordering::Relaxed);
            }
        }
        self.tail = (self.tail + ENTRY) % QUEUE;
    }

    /// Waits until all commands are carried out. A unit that does not answer leaves devices with
    /// what they no longer should reach: the machine cannot go on.
    fn wait(&mut self) {
        let Some(done) = word(self.done, 0) else {
            return;
        };
        done.store(0, Ordering::Relaxed);
        self.put([WAIT | self.done | WAIT_STORE, 1]);
        core::sync::atomic::fence(Ordering::SeqCst);
        self.registers.write32(COMMAND_TAIL, self.tail);
        let until = clock::now().saturating_add(PATIENCE);
        while done.load(Ordering::Acquire) == 0 {
            assert!(clock::now() < until, "an IOMMU does not answer");
            core::hint::spin_loop();
        }
    }

    fn enable(&mut self, table: u64) {
        self.control(0);
        self.write64(DEVICE_TABLE, table | (DEVICES * DEVICE_ENTRY / 4096 - 1));
        self.write64(COMMANDS, self.commands | QUEUE_LENGTH);
        self.write64(EVENTS, self.events | QUEUE_LENGTH);
        for register in [COMMAND_HEAD, COMMAND_TAIL, EVENT_HEAD, EVENT_TAIL] {
            self.registers.write32(register, 0);
        }
        self.tail = 0;
        self.registers.write32(STATUS, OVERFLOW);
        self.control(self.bits());
        self.on = true;
        if self.registers.read32(FEATURES) & FORGETS_ALL != 0 {
            self.put([FORGET_ALL, 0]);
            return self.wait();
        }
        for device in 0..DEVICES {
            self.put([FORGET_DEVICE | device, 0]);
            if device % BATCH == BATCH - 1 {
                self.wait();
            }
        }
        self.flush();
    }

    fn bits(&self) -> u32 {
        self.wishes | ENABLE | LOG_EVENTS | COHERENT | TAKE_COMMANDS
    }

    fn flush(&mut self) {
        self.put([FORGET_PAGES | DOMAIN << 32, EVERY_PAGE]);
        self.wait();
    }

    fn take_fault(&self) -> Option<Fault> {
        let head = self.registers.read32(EVENT_HEAD) % QUEUE;
        if head == self.registers.read32(EVENT_TAIL) % QUEUE {
            if self.registers.read32(STATUS) & OVERFLOW != 0 {
                // The log stopped when it was full.
                self.control(self.bits() & !LOG_EVENTS);
                self.registers.write32(STATUS, OVERFLOW);
                self.control(self.bits());
            }
            return None;
        }
        let first = word(self.events, head / 8)?.load(Ordering::Acquire);
        let second = word(self.events, head / 8 + 1)?.load(Ordering::Acquire);
        let next = (head + ENTRY) % QUEUE;
        self.registers.write32(EVENT_HEAD, next);
        Some(Fault {
            code: (first >> 60) as u8,
            device: first as u16,
            address: second,
        })
    }
}

/// Finds the units that the firmware lists. They stay as they are.
pub fn init(platform: &Platform) {
    let mut units = UNITS.lock();
    for entry in platform.iommus.iter().filter(|entry| entry.segment == 0) {
        match Unit::new(entry.addr, entry.flags) {
            Some(unit) => {
                let _ = units.try_push(unit);
            }
            // Devices behind it would go unwatched: none is better than some.
            None => return units.clear(),
        }
    }
}

/// Whether there are any.
pub fn is_there() -> bool {
    !UNITS.lock().is_empty()
}

/// Switches all on, every device with the tables at `root`.
pub fn enable(root: Mfn, table: Block) {
    let first = table.first();
    let levels = u64::from(LEVELS) << LEVELS_SHIFT;
    let entry = [
        root.addr() | VALID | TRANSLATED | levels | MAY_READ | MAY_WRITE,
        DOMAIN,
        0,
        0,
    ];
    for page in table.into_pages(false) {
        for (index, word) in page.words().iter().enumerate() {
            let value = entry.get(index % entry.len()).copied().unwrap_or(0);
            word.store(value, Ordering::Relaxed);
        }
        // The units read it for good.
        let _ = page.into_entry();
    }
    core::sync::atomic::fence(Ordering::SeqCst);
    for unit in UNITS.lock().iter_mut() {
        unit.enable(first.addr());
    }
}

/// Has all units that are on forget the pages that they know.
pub fn flush() {
    for unit in UNITS.lock().iter_mut().filter(|unit| unit.on) {
        unit.flush();
    }
}

/// See [`crate::iommu::take_fault`].
pub fn take_fault() -> Option<Fault> {
    let units = UNITS.lock();
    units
        .iter()
        .filter(|unit| unit.on)
        .find_map(Unit::take_fault)
}
