-5027.0 trial kvm/two-guests on kvm
-5025.0 boot h0 runs 7.2.12+deb13-amd64, boot 6f1c2a0e-2f6d-4a55-9d0e-1f0c5f3b7a10
-2530.0 guest-link g1 on h0: hello
-2430.0 guest g1 runs on h0, kernel 7.2.12+deb13-amd64, qemu 10.0.2, libvirt 11.3.0
-2330.0 step start victim in g1
-2230.0 facts victim in g1 {"pid":77,"address":"0x7f22a8600000","pfn":"0x2f4b","physical":"0x2f4b000","page_size":4096}
-2180.0 guest-link g2 on h0: hello
-2130.0 guest g2 runs on h0, kernel 7.2.12+deb13-amd64, qemu 10.0.2, libvirt 11.3.0
-530.0 heartbeat g1 on h0: 200 heartbeats, longest 15.5 ms
-180.0 heartbeat g2 on h0: 200 heartbeats, longest 15.8 ms
-4.0 resolved victim of g1: gpa 0x2f4b000 -> hva 0x7f0a12f4b000 -> pfn 0x1a3c7e on h0
-2.0 step inject hwpoison at victim
0.0 intent about to fire hwpoison at victim of g1 on h0 {"pfn":"0x1a3c7e"}
3.0 kmsg Injecting memory failure for pfn 0x1a3c7e at process virtual address 0x7f0a12f4b000
3.6 kmsg Memory failure: 0x1a3c7e: Sending SIGBUS to qemu-system-x86:811 due to hardware memory corruption
4.1 kmsg Memory failure: 0x1a3c7e: recovery action for dirty LRU page: Recovered
5.2 outcome hwpoison: fired
9.0 hypervisor g1 on h0: memory-failure guest inject
14.0 step touch victim
31.0 kmsg g1 on h0: mce: [Hardware Error]: Machine check events logged
33.0 kmsg g1 on h0: Memory failure: 0x2f4b: Sending SIGBUS to memory:77 due to hardware memory corruption
36.0 workload g1 on h0: victim: SIGBUS BUS_MCEERR_AR at 0x7f22a8600000, lsb 12
40.0 guest-console g1 on h0: [    2.51] Kernel panic - not syncing: Fatal machine check on current CPU
52.0 pageflags pfn 0x1a3c7e hwpoison
55.0 meminfo HardwareCorrupted +4 kB
55.0 hypervisor g1 on h0: panicked crashed panicked
570.0 heartbeat g2 on h0: 430000 us between two heartbeats
1060.0 heartbeat g1 on h0: no heartbeat for 1004 ms
4970.0 guest-link g1 on h0: gone
6820.0 heartbeat g2 on h0: 700 heartbeats, longest 17.9 ms
6980.0 hypervisor g2 on h0: status running 
6982.0 heartbeat g2 on h0: last heartbeat 4 ms ago
7070.0 close done
