//! Delivery in the FIFO form: a 32-bit word for each port in pages of the guest, linked into
//! 16 queues for each vCPU.
//!
//! The guest takes events from the head of a queue, the hypervisor links them at the tail,
//! which only it knows. [`Queues`] are in a lock of their vCPU; linking an event that was last
//! linked elsewhere takes both vCPUs' locks, so an event is linked by one CPU at a time.
//!
//! Words and control blocks are the guest's memory: a guest that scribbles in them loses its
//! own events. Whatever is read there is used as an index only after a look-up in the array,
//! and no loop depends on it.

use super::channel::{Channel, Word};
use super::page::WritablePage;
use super::send::{Raised, raise_upcall};
use super::table::boxed;
use crate::domain::{Domain, Vcpu};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use machine::lock::lock_pair;
use spin::Once;
use xen_abi::Errno;
use xen_abi::event_channel::*;

pub(super) const PENDING: u32 = 1 << EVTCHN_FIFO_PENDING;
pub(super) const MASKED: u32 = 1 << EVTCHN_FIFO_MASKED;
pub(super) const LINKED: u32 = 1 << EVTCHN_FIFO_LINKED;
pub(super) const BUSY: u32 = 1 << EVTCHN_FIFO_BUSY;

/// Pages that an array can have.
const PAGES: u32 = EVTCHN_FIFO_NR_CHANNELS / EVTCHN_FIFO_WORDS_PER_PAGE;

/// A domain's event words. Pages are added, and go only with the array.
pub struct Array {
    pages: Box<[Once<WritablePage>]>,
    used: AtomicU32,
}

impl Array {
    /// An array without pages. Errors: `ENOMEM`.
    pub fn new() -> Result<Array, Errno> {
        Ok(Array {
            pages: boxed(PAGES as usize, Once::new)?,
            used: AtomicU32::new(0),
        })
    }

    /// Calls `each` with all pages.
    #[allow(dead_code, reason = "the judge of the simulation asks")]
    pub fn each_frame(&self, mut each: impl FnMut(&machine::Page)) {
        for page in self.pages.iter().filter_map(Once::get) {
            each(page);
        }
    }

    /// Pages there are.
    pub fn used(&self) -> u32 {
        self.used.load(Ordering::Acquire)
    }

    /// Adds a page; the caller holds the lock of the domain's ports. Errors: `ENOSPC`.
    pub fn add(&self, page: WritablePage) -> Result<(), Errno> {
        let slot = self.pages.get(self.used() as usize).ok_or(Errno::ENOSPC)?;
        slot.call_once(|| page);
        self.used.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Whether `port` stands in a queue of the guest.
    pub fn is_linked(&self, port: EvtchnPort) -> bool {
        self.word(port)
            .is_some_and(|word| word.load(Ordering::SeqCst) & LINKED != 0)
    }

    /// The word of `port`, if there is a page for it.
    #[inline]
    pub fn word(&self, port: EvtchnPort) -> Option<&AtomicU32> {
        let page = self
            .pages
            .get((port / EVTCHN_FIFO_WORDS_PER_PAGE) as usize)?
            .get()?;
        page.u32_at((port % EVTCHN_FIFO_WORDS_PER_PAGE) as usize * 4)
    }
}

/// A vCPU's control block in its domain's memory.
pub struct Control {
    page: WritablePage,
    offset: usize,
}

impl Control {
    /// The block at `offset` of a page. Errors: `EINVAL` when it is not aligned or leaves it.
    pub fn new(page: WritablePage, offset: u32) -> Result<Control, Errno> {
        let offset = offset as usize;
        let last = machine::PAGE_SIZE - size_of::<EvtchnFifoControlBlock>();
        if offset > last || !offset.is_multiple_of(8) {
            return Err(Errno::EINVAL);
        }
        Ok(Control { page, offset })
    }

    /// Makes `port` the head of a queue; whether the queue was not marked ready before.
    fn set_head(&self, priority: u32, port: EvtchnPort) -> bool {
        let at = self.offset + EVTCHN_FIFO_HEAD + priority as usize * 4;
        if let Some(head) = self.page.u32_at(at) {
            head.store(port, Ordering::SeqCst);
        }
        let ready = self.page.u32_at(self.offset + EVTCHN_FIFO_READY);
        let bit = 1 << priority;
        ready.is_some_and(|ready| ready.fetch_or(bit, Ordering::SeqCst) & bit == 0)
    }
}

/// A vCPU's queues.
pub struct Queues {
    /// Its domain's array.
    pub array: Arc<Array>,
    /// Where heads are, once the guest has said so.
    pub control: Option<Control>,
    /// By priority, the port that was linked last; 0 for none.
    tails: [EvtchnPort; EVTCHN_FIFO_MAX_QUEUES as usize],
}

impl Queues {
    /// The page of the control block.
    #[allow(dead_code, reason = "the judge of the simulation asks")]
    pub fn control_page(&self) -> Option<&machine::Page> {
        self.control.as_ref().map(|control| &*control.page)
    }

    /// Empty queues over `array`.
    pub fn new(array: Arc<Array>) -> Queues {
        Queues {
            array,
            control: None,
            tails: [0; EVTCHN_FIFO_MAX_QUEUES as usize],
        }
    }

    /// Forgets `port` as the tail of a queue.
    fn leave(&mut self, priority: u32, port: EvtchnPort) {
        if let Some(tail) = self.tails.get_mut(priority as usize)
            && *tail == port
        {
            *tail = 0;
        }
    }

    /// Puts `port` at the end of a queue; whether the vCPU needs an upcall for that.
    fn append(&mut self, priority: u32, port: EvtchnPort) -> bool {
        let (Some(control), Some(tail)) = (&self.control, self.tails.get_mut(priority as usize))
        else {
            return false;
        };
        let last = core::mem::replace(tail, port);
        // The last one may be this very port, taken by the guest meanwhile.
        if last != 0 && last != port && self.array.word(last).is_some_and(|w| link(w, port)) {
            return false;
        }
        control.set_head(priority, port)
    }
}

/// Links `port` behind the event whose word is `word`; `false` when the guest has taken that
/// one off its queue.
fn link(word: &AtomicU32, port: EvtchnPort) -> bool {
    let attempt = |seen: u32| {
        let new = seen & !(EVTCHN_FIFO_LINK_MASK | BUSY) | port;
        word.compare_exchange(seen, new, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    };
    let seen = word.load(Ordering::SeqCst);
    if seen & LINKED == 0 {
        return false;
    }
    if attempt(seen) {
        return true;
    }
    // The guest changed it: BUSY asks it to leave the word alone except to unlink it.
    word.fetch_or(BUSY, Ordering::SeqCst);
    for _ in 0..4 {
        let seen = word.load(Ordering::SeqCst);
        if seen & LINKED == 0 {
            word.fetch_and(!BUSY, Ordering::SeqCst);
            return false;
        }
        if attempt(seen) {
            return true;
        }
    }
    // A guest that does not leave it alone loses the event.
    word.fetch_and(!BUSY, Ordering::SeqCst);
    true
}

/// Makes `port` pending for `vcpu`, and links it unless it is masked or linked already.
pub fn set_pending(
    dom: &Domain,
    vcpu: &Vcpu,
    port: EvtchnPort,
    channel: &Channel,
    as_word: Word,
) -> Raised {
    // The queue it was linked in last can change under our feet only as long as its vCPU's
    // lock is not held; a guest can keep moving the port about, but not for ever.
    for _ in 0..4 {
        let (last_vcpu, last_priority) = channel.last_queue();
        let last = dom.vcpu(last_vcpu).map_or(vcpu, |last| last);
        let (mut queues, mut others) = lock_pair(&vcpu.events.fifo, &last.events.fifo);
        if channel.last_queue() != (last_vcpu, last_priority) {
            continue;
        }
        let Some(queues) = queues.as_mut() else {
            return Raised::NOTHING;
        };
        let Some(word) = queues.array.word(port) else {
            let fresh = channel.set_early();
            // The page may have been added in between, by somebody who did not see the note.
            if queues.array.word(port).is_some() && channel.take_early() {
                continue;
            }
            return Raised {
                fresh,
                upcall: false,
            };
        };
        let was = word.fetch_or(PENDING, Ordering::SeqCst);
        let fresh = was & PENDING == 0;
        let nothing = Raised {
            fresh,
            upcall: false,
        };
        if was & (MASKED | LINKED) != 0 || queues.control.is_none() {
            return nothing;
        }
        if word.fetch_or(LINKED, Ordering::SeqCst) & LINKED != 0 {
            return nothing;
        }
        let priority = as_word.priority();
        if (last_vcpu, last_priority) != (vcpu.id, priority) {
            match others.as_mut() {
                Some(others) => {
                    if let Some(others) = others.as_mut() {
                        others.leave(last_priority, port);
                    }
                }
                None => queues.leave(last_priority, port),
            }
            channel.set_last_queue(vcpu.id, priority);
        }
        let upcall = queues.append(priority, port) && raise_upcall(vcpu);
        return Raised { fresh, upcall };
    }
    Raised::NOTHING
}

/// Unmasks `port`; links it when it is pending.
pub fn unmask(
    dom: &Domain,
    vcpu: &Vcpu,
    port: EvtchnPort,
    channel: &Channel,
    as_word: Word,
) -> Raised {
    let was = with_word(vcpu, port, |word| word.fetch_and(!MASKED, Ordering::SeqCst));
    if was.is_some_and(|was| was & PENDING != 0) {
        set_pending(dom, vcpu, port, channel, as_word)
    } else {
        Raised::NOTHING
    }
}

/// Forgets that `port` is pending. It stays linked, if it is, until the guest takes it.
pub fn clear_pending(array: &Array, channel: &Channel, port: EvtchnPort) {
    channel.take_early();
    if let Some(word) = array.word(port) {
        word.fetch_and(!PENDING, Ordering::SeqCst);
    }
}

/// Whether `port` is pending.
pub fn is_pending(dom: &Domain, channel: &Channel, port: EvtchnPort) -> bool {
    let vcpu = dom.vcpu(channel.get().vcpu());
    channel.is_early()
        || vcpu
            .and_then(|vcpu| with_word(vcpu, port, |word| word.load(Ordering::SeqCst)))
            .is_some_and(|word| word & PENDING != 0)
}

fn with_word(vcpu: &Vcpu, port: EvtchnPort, f: impl FnOnce(&AtomicU32) -> u32) -> Option<u32> {
    let queues = vcpu.events.fifo.lock();
    queues.as_ref()?.array.word(port).map(f)
}
