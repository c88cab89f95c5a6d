//! One event channel: a word that says what it is bound to, and what FIFO delivery remembers.
//!
//! The word is read without a lock by whoever sends, and changed only under the lock of its
//! domain's ports. A sender may therefore act on a binding that ended a moment ago: the event
//! then reaches a port that its domain closed, which the domain has to expect anyway.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use xen_abi::DomId;
use xen_abi::event_channel::{EVTCHN_FIFO_PRIORITY_DEFAULT, EvtchnPort};

/// What a channel is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Nothing: the port can be given out.
    Free,
    /// Nothing, and never will be: port 0.
    Reserved,
    /// Waits for this domain to bind to it.
    Unbound(DomId),
    /// The other end is that domain's port.
    Interdomain(DomId, EvtchnPort),
    /// A physical interrupt.
    Pirq(u32),
    /// A virtual interrupt.
    Virq(u32),
    /// Events from the domain's own vCPUs.
    Ipi,
}

const KIND_BITS: u32 = 4;
const PRIORITY_SHIFT: u32 = KIND_BITS;
const PRIORITY_MASK: u64 = 0xf;
const VCPU_SHIFT: u32 = 8;
const VCPU_MASK: u64 = 0x1fff;
const ARG_SHIFT: u32 = 21;
const ARG_MASK: u64 = 0xf_ffff;
const DOMID_SHIFT: u32 = 41;

const FREE: u64 = 0;
const RESERVED: u64 = 1;
const UNBOUND: u64 = 2;
const INTERDOMAIN: u64 = 3;
const PIRQ: u64 = 4;
const VIRQ: u64 = 5;
const IPI: u64 = 6;

/// A channel's word at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(u64);

impl Word {
    /// A channel that notifies `vcpu`, at the default priority.
    pub fn new(binding: Binding, vcpu: u32) -> Word {
        let (kind, domid, arg) = match binding {
            Binding::Free => (FREE, 0, 0),
            Binding::Reserved => (RESERVED, 0, 0),
            Binding::Unbound(domid) => (UNBOUND, domid, 0),
            Binding::Interdomain(domid, port) => (INTERDOMAIN, domid, port),
            Binding::Pirq(pirq) => (PIRQ, 0, pirq),
            Binding::Virq(virq) => (VIRQ, 0, virq),
            Binding::Ipi => (IPI, 0, 0),
        };
        let priority = EVTCHN_FIFO_PRIORITY_DEFAULT as u64;
        Word(
            kind | priority << PRIORITY_SHIFT
                | (vcpu as u64 & VCPU_MASK) << VCPU_SHIFT
                | (arg as u64 & ARG_MASK) << ARG_SHIFT
                | (domid as u64) << DOMID_SHIFT,
        )
    }

    /// What the channel is bound to.
    #[inline(always)]
    pub fn binding(self) -> Binding {
        let arg = (self.0 >> ARG_SHIFT & ARG_MASK) as u32;
        let domid = (self.0 >> DOMID_SHIFT) as u16;
        match self.0 & ((1 << KIND_BITS) - 1) {
            INTERDOMAIN => Binding::Interdomain(domid, arg),
            IPI => Binding::Ipi,
            VIRQ => Binding::Virq(arg),
            PIRQ => Binding::Pirq(arg),
            UNBOUND => Binding::Unbound(domid),
            RESERVED => Binding::Reserved,
            _ => Binding::Free,
        }
    }

    /// The vCPU that is notified.
    #[inline(always)]
    pub fn vcpu(self) -> u32 {
        (self.0 >> VCPU_SHIFT & VCPU_MASK) as u32
    }

    /// The FIFO queue, 0 (first) to 15.
    #[inline(always)]
    pub fn priority(self) -> u32 {
        (self.0 >> PRIORITY_SHIFT & PRIORITY_MASK) as u32
    }

    /// The same, with another vCPU to notify.
    pub fn with_vcpu(self, vcpu: u32) -> Word {
        Word(self.0 & !(VCPU_MASK << VCPU_SHIFT) | (vcpu as u64 & VCPU_MASK) << VCPU_SHIFT)
    }

    /// The same, in another FIFO queue.
    pub fn with_priority(self, priority: u32) -> Word {
        let bits = priority as u64 & PRIORITY_MASK;
        Word(self.0 & !(PRIORITY_MASK << PRIORITY_SHIFT) | bits << PRIORITY_SHIFT)
    }

    /// The same vCPU and priority, bound to something else.
    pub fn rebound(self, binding: Binding) -> Word {
        Word::new(binding, self.vcpu()).with_priority(self.priority())
    }
}

/// A channel.
#[derive(Debug, Default)]
pub struct Channel {
    word: AtomicU64,
    /// FIFO queue it was last linked in: vCPU << 4 | priority.
    last: AtomicU32,
    /// It became pending while its word of the FIFO array was not there yet.
    early: AtomicBool,
}

impl Channel {
    /// What it is now.
    #[inline(always)]
    pub fn get(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Changes it; the caller holds the lock of its domain's ports.
    pub fn set(&self, word: Word) {
        self.word.store(word.0, Ordering::Release);
    }

    /// vCPU and priority of the FIFO queue it was last linked in.
    #[inline]
    pub fn last_queue(&self) -> (u32, u32) {
        let last = self.last.load(Ordering::Relaxed);
        (last >> 4, last & 0xf)
    }

    /// Notes the FIFO queue it is being linked in; the caller holds the queue locks of the
    /// vCPU it was linked in last and of this one.
    #[inline]
    pub fn set_last_queue(&self, vcpu: u32, priority: u32) {
        self.last.store(vcpu << 4 | priority, Ordering::Relaxed);
    }

    /// Notes that it became pending before the array had a word for it; whether that is new.
    pub fn set_early(&self) -> bool {
        !self.early.swap(true, Ordering::SeqCst)
    }

    /// Takes the note of [`Channel::set_early`] back; whether there was one.
    pub fn take_early(&self) -> bool {
        self.early.swap(false, Ordering::SeqCst)
    }

    /// Whether it is pending without a word in the array.
    pub fn is_early(&self) -> bool {
        self.early.load(Ordering::SeqCst)
    }
}
