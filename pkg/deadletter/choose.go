package deadletter

import (
	"context"
	"slices"

	"fairbridge/pkg/ledger"
)

// toGo returns the cases of a selection that are to be replayed.
func (r *replaying) toGo(ctx context.Context, in *Selection) ([]Case, error) {
	r.result.More = in.More
	if !in.More && r.Looked != nil {
		if err := r.Looked(ctx, in); err != nil {
			return nil, err
		}
	}
	cases, err := r.allowed(ctx, r.once(ctx, in))
	if err != nil {
		return nil, err
	}
	return r.correct(cases)
}

func (r *replaying) query() Query {
	w := Query{Filter: r.Filter, Payloads: r.Confirm != nil, Entries: r.Confirm != nil, Bodies: true}
	if len(r.Filter.IDs) == 0 && r.Confirm == nil {
		w.Most = atOnce
	}
	return w
}

// once leaves out deliveries that this run has replayed already: further copies of a letter
// are removed, and what has failed again is left for another run.
func (r *replaying) once(ctx context.Context, in *Selection) []Case {
	var cases, copies []Case
	for _, c := range in.Cases {
		switch generation, was := r.generations[c.DeliveryID]; {
		case !was:
			cases = append(cases, c)
		case c.Generation <= generation:
			copies = append(copies, c)
		default:
			r.result.Again++
		}
	}
	if len(copies) > 0 {
		in.Hold.Remove(ctx, copies, func(c Case, err error) {
			if err == nil {
				r.result.Copies += c.Count()
			}
		})
	}
	return cases
}

// allowed leaves out what has been replayed too often, and letters that are not in the ledger
// and so old that the ledger may have forgotten that they are done.
func (r *replaying) allowed(ctx context.Context, cases []Case) ([]Case, error) {
	isOld := func(c Case) bool {
		return r.now().Sub(c.DiedAt()) > ledger.RetainDone && !r.Settlement.CreateAgain
	}
	var old []string
	for _, c := range cases {
		if isOld(c) {
			old = append(old, c.DeliveryID)
		}
	}
	known, err := r.entries(ctx, old)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(cases, func(c Case) bool {
		switch _, ok := known[c.DeliveryID]; {
		case c.ReplayCount() >= MostReplays && !r.Force:
			r.stays(c, ErrTooOften)
		case isOld(c) && !ok:
			r.stays(c, ErrForgotten)
		default:
			return false
		}
		return true
	}), nil
}

// correct applies the corrections, and leaves out what is invalid afterwards.
func (r *replaying) correct(cases []Case) ([]Case, error) {
	if len(r.Sets) == 0 {
		return cases, nil
	}
	var right []Case
	for _, c := range cases {
		changes, err := Edit(&c.Letter, r.Sets, r.Checker, r.now())
		if r.Edited != nil {
			if err := r.Edited(c, changes, err); err != nil {
				return nil, err
			}
		}
		if err == nil {
			c.corrected = changes
			right = append(right, c)
		}
	}
	return right, nil
}
