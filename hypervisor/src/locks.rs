//! The order of locks: a CPU takes them in rising order of level.
//!
//! Two locks of one level go through `machine::lock::lock_pair`. The simulated machine checks
//! the order each time.

/// A vCPU's state, held while it runs or while a tool looks at it.
pub const LEASE: u8 = 5;
/// A domain's end; only ever tried for.
pub const TEARDOWN: u8 = 10;
/// The machine's devices as a hardware-virtualised control domain sees them.
pub const DEVICES: u8 = 15;
/// A domain's own small things (limits, permissions, shutdown state).
pub const DOMAIN: u8 = 20;
/// Host interrupt routing.
pub const IRQ: u8 = 25;
/// A domain's physical map.
pub const P2M: u8 = 30;
/// A grant table.
pub const GRANT: u8 = 40;
/// A domain's event channels.
pub const EVENT: u8 = 50;
/// FIFO event queues.
pub const EVENT_QUEUE: u8 = 52;
/// A CPU's timers.
pub const TIMERS: u8 = 55;
/// The pools of CPUs.
pub const POOLS: u8 = 58;
/// A CPU's run queue.
pub const RUN_QUEUE: u8 = 60;
/// Frames that are being given back: whoever needs memory may have to do that.
pub const DEAD: u8 = 61;
/// A vCPU's budget under a real-time scheduler: nothing is taken while it is held.
pub const REAL_TIME: u8 = 61;
/// The list of domains: nothing is taken while it is held. It stands this late because whoever
/// needs memory may have to reap dead frames, which looks up their owners.
pub const DOMAIN_LIST: u8 = 62;
/// A domain's list of pages.
pub const PAGES: u8 = 65;
/// The PCI configuration address port.
pub const PCI: u8 = 75;
/// The console.
pub const CONSOLE: u8 = 80;
/// The heap of frames, last of all: whoever holds a lock may allocate, and the hypervisor's own
/// data takes frames.
pub const HEAP: u8 = machine::heap::LEVEL;
