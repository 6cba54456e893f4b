package embedded

import "sync"

// bells wakes those in this process who wait for something to happen in a queue.
type bells struct {
	mu sync.Mutex
	of map[int64]chan struct{} // by queue id
}

// next returns a channel that is closed when ring is called. Take it before
// looking into the queue, wait on it after.
func (b *bells) next(queue int64) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = map[int64]chan struct{}{}
	}
	if b.of[queue] == nil {
		b.of[queue] = make(chan struct{})
	}
	return b.of[queue]
}

func (b *bells) ring(queue int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.of[queue]; c != nil {
		close(c)
		delete(b.of, queue)
	}
}
