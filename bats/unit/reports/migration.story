-4202.0 trial kvm/migrate-poison on kvm-pair
-4200.0 boot h0 runs 7.2.12+deb13-amd64, boot 6f1c2a0e-2f6d-4a55-9d0e-1f0c5f3b7a10
-4200.0 boot h1 runs 7.2.12+deb13-amd64, boot 6f1c2a0e-2f6d-4a55-9d0e-1f0c5f3b7a11
-1705.0 guest-link g1 on h0: hello
-1605.0 guest g1 runs on h0, kernel 7.2.12+deb13-amd64, qemu 10.0.2, libvirt 11.3.0
-1505.0 step start victim in g1
-1405.0 facts victim in g1 {"pid":77,"address":"0x7f22a8600000","pfn":"0x2f4b","physical":"0x2f4b000","page_size":4096}
-1205.0 step migrate g1 to h1
-1125.0 migration g1: setup, 256 MiB remaining
-1045.0 migration g1: pre-copy, iteration 1, 256 MiB remaining
-705.0 heartbeat g1 on h0: 100 heartbeats, longest 14.5 ms
-245.0 migration g1: pre-copy, iteration 1, 42.4 MiB remaining
-95.0 migration g1: pre-copy, iteration 2, 40 MiB remaining
-93.0 hypervisor g1 on h0: migration-iteration 2 
-4.0 resolved victim of g1: gpa 0x2f4b000 -> hva 0x7f0a12f4b000 -> pfn 0x1a3c7e on h0
-2.0 step inject hwpoison at victim
0.0 intent about to fire hwpoison at victim of g1 on h0 {"pfn":"0x1a3c7e"}
3.0 kmsg h0: Injecting memory failure for pfn 0x1a3c7e at process virtual address 0x7f0a12f4b000
3.6 kmsg h0: Memory failure: 0x1a3c7e: Sending SIGBUS to qemu-system-x86:811 due to hardware memory corruption
4.1 kmsg h0: Memory failure: 0x1a3c7e: recovery action for dirty LRU page: Recovered
5.2 outcome hwpoison: fired
9.0 hypervisor g1 on h0: memory-failure, inject
14.0 step touch victim
31.0 kmsg g1 on h0: mce: [Hardware Error]: Machine check events logged
33.0 kmsg g1 on h0: Memory failure: 0x2f4b: Sending SIGBUS to memory:77 due to hardware memory corruption
36.0 workload g1 on h0: victim: SIGBUS BUS_MCEERR_AR at 0x7f22a8600000, lsb 12
52.0 pageflags h0: pfn 0x1a3c7e hwpoison
55.0 meminfo h0: HardwareCorrupted +4 kB
295.0 heartbeat g1 on h0: 100 heartbeats, longest 15.5 ms
315.0 migration g1: pre-copy, iteration 3, 12.4 MiB remaining
318.0 hypervisor g1 on h0: migration-iteration 3 
435.0 migration g1: pre-copy, iteration 4, 3.81 MiB remaining
495.0 migration g1: switchover, 977 KiB remaining
496.0 hypervisor g1 on h0: lifecycle suspended migrated
655.0 hypervisor g1 on h1: lifecycle resumed migrated
675.0 migration g1: migration completed
685.0 guest-link g1 on h0: gone
725.0 guest-link g1 on h1: hello
735.0 guest g1 has arrived on h1, kernel 7.2.12+deb13-amd64, qemu 10.0.2, libvirt 11.3.0
737.0 heartbeat g1 on h1: 212000 us between two heartbeats
1725.0 heartbeat g1 on h1: 100 heartbeats, longest 16.9 ms
1805.0 hypervisor g1 on h1: status running 
1807.0 heartbeat g1 on h1: last heartbeat 4 ms ago
1895.0 close done
