// Lets each packet of one netfilter queue go on after a fixed time, or drops it:
// `lab-delay MARK QUEUE MILLISECONDS LOSS_PERCENT SEED`. What tc's netem does, for kernels that lack it.
// The same seed drops the same places in the order of packets. MARK is what `lab down` finds this
// process by.
package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"time"
)

// From linux/netfilter/nfnetlink_queue.h and linux/netlink.h.
const (
	netlinkNetfilter = 12
	noEnobufs        = 5
	solNetlink       = 270

	msgPacket  = 3<<8 | 0
	msgVerdict = 3<<8 | 1
	msgConfig  = 3<<8 | 2

	configCommand  = 1
	configParams   = 2
	configMaxlen   = 3
	configMask     = 4
	configFlags    = 5
	commandBind    = 1
	copyMeta       = 1
	flagGSO        = 1 << 2
	attrPacket     = 1
	attrVerdict    = 2
	verdictDrop    = 0
	verdictAccept  = 1
	headersLength  = 16 + 4
	longestQueue   = 100_000
	receiveBuffer  = 16 << 20
	datagramLength = 64 << 10
)

type waiting struct {
	id      uint32
	due     time.Time
	verdict uint32
}

// fate says what becomes of the next packet.
type fate struct {
	delay  time.Duration
	loss   float64
	random *rand.Rand
}

func (f fate) verdict() uint32 {
	if f.loss > 0 && f.random.Float64() < f.loss {
		return verdictDrop
	}
	return verdictAccept
}

func main() {
	if len(os.Args) != 6 {
		fail(fmt.Errorf("usage: lab-delay MARK QUEUE MILLISECONDS LOSS_PERCENT SEED"))
	}
	queue, err := strconv.ParseUint(os.Args[2], 10, 16)
	if err != nil {
		fail(err)
	}
	milliseconds, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fail(err)
	}
	percent, err := strconv.ParseFloat(os.Args[4], 64)
	if err != nil {
		fail(err)
	}
	seed, err := strconv.ParseUint(os.Args[5], 10, 64)
	if err != nil {
		fail(err)
	}
	fail(run(uint16(queue), fate{
		delay:  time.Duration(milliseconds) * time.Millisecond,
		loss:   percent / 100,
		random: rand.New(rand.NewPCG(seed, 0)),
	}))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "lab-delay:", err)
	os.Exit(1)
}

// run never returns without an error.
func run(queue uint16, fate fate) error {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkNetfilter)
	if err != nil {
		return err
	}
	if err := syscall.Bind(socket, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	// A burst that overflows the buffer loses packets, as a full router does; it must not end us.
	syscall.SetsockoptInt(socket, solNetlink, noEnobufs, 1)
	syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, receiveBuffer)
	if err := configure(socket, queue); err != nil {
		return err
	}
	packets := make(chan waiting, longestQueue)
	go release(socket, queue, packets)
	buffer := make([]byte, datagramLength)
	for {
		n, _, err := syscall.Recvfrom(socket, buffer, 0)
		if err == syscall.EINTR || err == syscall.ENOBUFS {
			continue
		}
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return err
		}
		due := time.Now().Add(fate.delay)
		for _, message := range messages {
			if message.Header.Type != msgPacket {
				continue
			}
			if id, ok := packetID(message.Data); ok {
				packets <- waiting{id, due, fate.verdict()}
			}
		}
	}
}

// release gives each packet its verdict when it is due; all have the same delay, so their order holds.
func release(socket int, queue uint16, packets <-chan waiting) {
	kernel := &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}
	for packet := range packets {
		time.Sleep(time.Until(packet.due))
		body := binary.BigEndian.AppendUint32(nil, packet.verdict)
		body = binary.BigEndian.AppendUint32(body, packet.id)
		if err := syscall.Sendto(socket, request(msgVerdict, queue, attribute(attrVerdict, body)), 0, kernel); err != nil {
			fail(err)
		}
	}
}

func configure(socket int, queue uint16) error {
	kernel := &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}
	number := func(value uint32) []byte { return binary.BigEndian.AppendUint32(nil, value) }
	for _, attributes := range [][]byte{
		attribute(configCommand, []byte{commandBind, 0, 0, 0}),
		attribute(configParams, append(number(0), copyMeta)),
		attribute(configMaxlen, number(longestQueue)),
		// Without it the kernel would cut large segments into packets before it queues them.
		append(attribute(configMask, number(flagGSO)), attribute(configFlags, number(flagGSO))...),
	} {
		if err := syscall.Sendto(socket, request(msgConfig, queue, attributes), 0, kernel); err != nil {
			return err
		}
	}
	return nil
}

func request(kind, queue uint16, attributes []byte) []byte {
	message := binary.NativeEndian.AppendUint32(nil, uint32(headersLength+len(attributes)))
	message = binary.NativeEndian.AppendUint16(message, kind)
	message = binary.NativeEndian.AppendUint16(message, syscall.NLM_F_REQUEST)
	message = append(message, make([]byte, 8)...) // sequence and sender: of no use here
	message = append(message, syscall.AF_UNSPEC, 0)
	message = binary.BigEndian.AppendUint16(message, queue)
	return append(message, attributes...)
}

func attribute(kind uint16, value []byte) []byte {
	encoded := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	encoded = binary.NativeEndian.AppendUint16(encoded, kind)
	encoded = append(encoded, value...)
	return append(encoded, make([]byte, (4-len(encoded)%4)%4)...)
}

// packetID finds the packet's number among the attributes behind the 4 bytes of nfgenmsg.
func packetID(data []byte) (uint32, bool) {
	for rest := data[4:]; len(rest) >= 4; {
		length := int(binary.NativeEndian.Uint16(rest))
		kind := binary.NativeEndian.Uint16(rest[2:]) & 0x3fff
		if length < 4 || length > len(rest) {
			return 0, false
		}
		if kind == attrPacket && length >= 8 {
			return binary.BigEndian.Uint32(rest[4:]), true
		}
		rest = rest[min(len(rest), (length+3)&^3):]
	}
	return 0, false
}
