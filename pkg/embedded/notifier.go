package embedded

import "sync"

// notifier notifies goroutines of this process that wait for a change in a queue.
type notifier struct {
	mu sync.Mutex
	of map[int64]chan struct{} // by queue id
}

// next returns a channel that the next call of notify closes. Get it before checking the
// queue, and wait on it afterwards.
func (b *notifier) next(queue int64) <-chan struct{} {
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

func (b *notifier) notify(queue int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.of[queue]; c != nil {
		close(c)
		delete(b.of, queue)
	}
}
