//! `vcpu_op`, `sched_op`, `callback_op`, `nmi_op`, `hvm_op`.

use super::super::layout::{EVENT, HANDLER, SYSCALL};
use super::kind::Kind::*;
use super::{Field, Shape, fields};
use xen_abi::callback::*;
use xen_abi::hvm::hvm_op::*;
use xen_abi::sched::*;
use xen_abi::vcpu::*;

const AREA: &[Field] = fields!(VcpuRegisterTimeMemoryArea { addr: Va });
const FRAME: &[Field] = fields!(VcpuRegisterTimeMemoryArea { addr: Gaddr });

pub const VCPU: &[Shape] = &[
    (VCPUOP_register_runstate_memory_area, AREA),
    (VCPUOP_register_vcpu_time_memory_area, AREA),
    (VCPUOP_register_runstate_phys_area, FRAME),
    (VCPUOP_register_vcpu_time_phys_area, FRAME),
    (
        VCPUOP_set_periodic_timer,
        fields!(VcpuSetPeriodicTimer {
            period_ns: Of(&[0, 1_000_000, 1_500_000, 20_000_000])
        }),
    ),
    (
        VCPUOP_set_singleshot_timer,
        fields!(VcpuSetSingleshotTimer {
            timeout_abs_ns: Soon,
            flags: Below(2)
        }),
    ),
    (
        VCPUOP_register_vcpu_info,
        fields!(VcpuRegisterVcpuInfo {
            mfn: Mfn,
            offset: Of(&[0, 64, 4032, 4064])
        }),
    ),
];

/// Ways in which a domain stops.
const REASON: &[u64] = &[0, 1, 2, 2, 2, 3, 4, 5, 6];

pub const SCHED: &[Shape] = &[
    (
        SCHEDOP_shutdown,
        fields!(SchedShutdown { reason: Of(REASON) }),
    ),
    (
        SCHEDOP_shutdown_code,
        fields!(SchedShutdown { reason: Of(REASON) }),
    ),
    (
        SCHEDOP_poll,
        fields!(SchedPoll {
            ports: Array(&Port),
            nr_ports: Count,
            timeout: Soon
        }),
    ),
    (
        SCHEDOP_remote_shutdown,
        fields!(SchedRemoteShutdown {
            domain_id: Domid,
            reason: Of(REASON)
        }),
    ),
    (
        SCHEDOP_watchdog,
        fields!(SchedWatchdog {
            id: Below(4),
            timeout: Of(&[0, 1, 30])
        }),
    ),
    (
        SCHEDOP_pin_override,
        fields!(SchedPinOverride {
            pcpu: Of(&[0, 1, 2, 0xffff_ffff])
        }),
    ),
];

const WHERE: &[u64] = &[HANDLER, EVENT, SYSCALL];

pub const CALLBACK: &[Shape] = &[
    (
        CALLBACKOP_register,
        fields!(CallbackRegister {
            r#type: Below(9),
            flags: Below(2),
            address: Of(WHERE)
        }),
    ),
    (
        CALLBACKOP_unregister,
        fields!(CallbackUnregister { r#type: Below(9) }),
    ),
];

pub const NMI: &[Shape] = &[(
    XENNMI_register_callback,
    fields!(XennmiCallback {
        handler_address: Of(WHERE)
    }),
)];

const PARAM: &[Field] = fields!(HvmParam {
    domid: Domid,
    index: Below(40),
    value: Any
});

pub const HVM: &[Shape] = &[
    (HVMOP_set_param, PARAM),
    (HVMOP_get_param, PARAM),
    (
        HVMOP_get_mem_type,
        fields!(HvmGetMemType {
            domid: Domid,
            pfn: Below(64)
        }),
    ),
    (
        HVMOP_set_evtchn_upcall_vector,
        fields!(HvmEvtchnUpcallVector {
            vcpu: Vcpu,
            vector: Any
        }),
    ),
];
