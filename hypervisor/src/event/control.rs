//! Setting up the FIFO form: control blocks and the pages of the array.

use super::fifo::{Array, Control, Queues};
use super::page::WritablePage;
use super::{send, two_level};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use xen_abi::Errno;
use xen_abi::event_channel::*;
use xen_abi::xen::EVTCHN_2L_NR_CHANNELS;

/// `EVTCHNOP_init_control`: the first such call of a domain changes it to the FIFO form.
pub fn init_control_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<EvtchnInitControl>::new(arg);
    let mut arg = cx.copy_in(ptr)?;
    arg.link_bits = EVTCHN_FIFO_LINK_BITS as u8;
    let vcpu = cx.dom.vcpu(arg.vcpu).ok_or(Errno::ENOENT)?;
    let page = WritablePage::get(cx.hv, cx.cpu, cx.dom, arg.control_gfn)?;
    let control = Control::new(page, arg.offset)?;

    let mut ports = cx.dom.events.ports.lock();
    let array = match &ports.array {
        Some(array) => array.clone(),
        None => {
            let array = Arc::new(Array::new()?);
            ports.array = Some(array.clone());
            switch(cx.dom, &array);
            array
        }
    };
    // Guests are not written to with a lock held.
    {
        let mut queues = vcpu.events.fifo.lock();
        let queues = queues.get_or_insert_with(|| Queues::new(array));
        if queues.control.is_some() {
            return Err(Errno::EINVAL.into());
        }
        queues.control = Some(control);
    }
    drop(ports);
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// Changes a domain to the FIFO form; the caller holds the lock of its ports.
fn switch(dom: &Domain, array: &Arc<Array>) {
    for vcpu in dom.all_vcpus() {
        *vcpu.events.fifo.lock() = Some(Queues::new(array.clone()));
    }
    dom.events.set_fifo(true);
    // What is pending is linked when the array gets the page for it.
    for port in 1..EVTCHN_2L_NR_CHANNELS {
        if two_level::is_pending(dom, port)
            && let Some(channel) = dom.events.table.get(port)
        {
            channel.set_early();
        }
    }
}

/// `EVTCHNOP_expand_array`.
pub fn expand_array_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: EvtchnExpandArray = cx.copy_in(GuestPtr::new(arg))?;
    if !cx.dom.events.is_fifo() {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let page = WritablePage::get(cx.hv, cx.cpu, cx.dom, arg.array_gfn)?;
    let ports = cx.dom.events.ports.lock();
    let array = ports.array.as_ref().ok_or(Errno::EOPNOTSUPP)?;
    let first = array.used() * EVTCHN_FIFO_WORDS_PER_PAGE;
    array.add(page)?;
    drop(ports);
    for port in first..first + EVTCHN_FIFO_WORDS_PER_PAGE {
        if let Some(channel) = cx.dom.events.table.get(port)
            && channel.take_early()
        {
            send::deliver(cx.hv, cx.cpu, cx.dom, port, channel, channel.get());
        }
    }
    Ok(0)
}

/// `EVTCHNOP_set_priority`.
pub fn set_priority_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: EvtchnSetPriority = cx.copy_in(GuestPtr::new(arg))?;
    let _ports = cx.dom.events.ports.lock();
    let channel = cx.dom.events.table.get(arg.port).ok_or(Errno::EINVAL)?;
    if !cx.dom.events.is_fifo() {
        return Err(Errno::ENOSYS.into());
    }
    if arg.priority > EVTCHN_FIFO_PRIORITY_MIN {
        return Err(Errno::EINVAL.into());
    }
    channel.set(channel.get().with_priority(arg.priority));
    Ok(0)
}
