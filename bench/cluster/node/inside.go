package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Inside is the network of a pod, where what is dialled comes from the pod's own address.
type Inside struct {
	// The network's namespace. Held open, so that no number of a process that has ended leads to somebody else's.
	network *os.File
}

// Inside the network of a pod that runs a program.
func (r *Rig) Inside(pod, program string) (*Inside, error) {
	found, err := processes(pod, program)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no %s runs in pod %s", program, pod)
	}
	network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", found[0]))
	if err != nil {
		return nil, err
	}
	return &Inside{network: network}, nil
}

// Close forgets it; what was dialled stays open.
func (i *Inside) Close() { _ = i.network.Close() }

// Dial an address as the pod would. A name is nothing here: names are resolved by the machine.
func (i *Inside) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	// Threads have a network each, and a socket stays in the one that it was made in.
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer own.Close()
	if err := unix.Setns(int(i.network.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("the network of a pod: %w", err)
	}
	dialer := &net.Dialer{Timeout: 3 * time.Second}
	connection, err := dialer.DialContext(ctx, network, address)
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		// The thread stays locked, and so ends with whoever asked: nobody else shall be there unawares.
		return nil, errors.Join(err, fmt.Errorf("back from the network of a pod: %w", back))
	}
	runtime.UnlockOSThread()
	return connection, err
}
