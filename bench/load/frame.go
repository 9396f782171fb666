package load

// message is a masked WebSocket text frame as a client must send it. The mask
// is zero: the rule is for browsers, and here it costs nothing to apply.
// https://www.rfc-editor.org/rfc/rfc6455#section-5.2
func message(size int) []byte {
	frame := []byte{0x81}
	if size < 126 {
		frame = append(frame, 0x80|byte(size)) //nolint:gosec // below 126
	} else {
		frame = append(frame, 0x80|126, byte(size>>8), byte(size)) //nolint:gosec // below 65,536, see Stream
	}
	frame = append(frame, 0, 0, 0, 0)
	for i := range size {
		frame = append(frame, "a message of a WebSocket, "[i%26])
	}
	return frame
}

// frame reads one frame from pieces.
type frame struct {
	head [4]byte
	have int
	left int
	size int64
}

// feed takes bytes and reports how many belong to this frame and whether it is
// complete.
func (f *frame) feed(b []byte) (used int, done bool) {
	for used < len(b) {
		if need := f.headSize(); f.have < need {
			f.head[f.have] = b[used]
			f.have++
			used++
			if f.have == 2 && f.headSize() == 2 {
				f.left = int(f.head[1] & 0x7f)
			}
			if f.have == 4 {
				f.left = int(f.head[2])<<8 | int(f.head[3])
			}
			if f.have < f.headSize() || f.left > 0 {
				continue
			}
		}
		n := min(f.left, len(b)-used)
		f.left -= n
		used += n
		if f.left == 0 {
			f.size += int64(used)
			return used, true
		}
	}
	f.size += int64(used)
	return used, false
}

func (f *frame) headSize() int {
	if f.have >= 2 && f.head[1]&0x7f == 126 {
		return 4
	}
	return 2
}

func (f *frame) reset() { *f = frame{} }
