package dynamotest

import (
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strings"
)

type scan struct {
	TableName, ProjectionExpression, FilterExpression string
	ExpressionAttributeNames                          map[string]string
	ExpressionAttributeValues                         map[string]value
	Segment, TotalSegments                            uint32
	ExclusiveStartKey                                 item
}

var (
	beginsWith = regexp.MustCompile(`^(NOT )?begins_with\((#\w+), (:\w+)\)$`)
	isIn       = regexp.MustCompile(`^(#\w+) IN \((:\w+(?:, :\w+)*)\)$`)
)

// scan returns one item a page, or none if the filter removes it.
func (s *Server) scan(in scan) any {
	ids := slices.Sorted(maps.Keys(s.items))
	ids = slices.DeleteFunc(ids, func(id string) bool {
		sum := fnv.New32()
		_, _ = sum.Write([]byte(id))
		return sum.Sum32()%max(1, in.TotalSegments) != in.Segment || id <= in.ExclusiveStartKey["id"]["S"]
	})
	page := struct {
		Items            []item
		ScannedCount     int
		LastEvaluatedKey item `json:",omitempty"`
	}{Items: []item{}}
	if len(ids) == 0 {
		return page
	}
	passes, f := in.passes(s.items[ids[0]])
	if f != nil {
		return f
	}
	if page.ScannedCount = 1; passes {
		page.Items = append(page.Items, in.project(s.items[ids[0]]))
	}
	if len(ids) > 1 {
		page.LastEvaluatedKey = item{"id": value{"S": ids[0]}}
	}
	return page
}

func (in scan) passes(it item) (bool, *failure) {
	if in.FilterExpression == "" {
		return true, nil
	}
	for condition := range strings.SplitSeq(in.FilterExpression, " AND ") {
		var holds bool
		if m := beginsWith.FindStringSubmatch(condition); m != nil {
			attribute := it[in.ExpressionAttributeNames[m[2]]]["S"]
			holds = strings.HasPrefix(attribute, in.ExpressionAttributeValues[m[3]]["S"]) == (m[1] == "")
		} else if m := isIn.FindStringSubmatch(condition); m != nil {
			holds = slices.ContainsFunc(strings.Split(m[2], ", "), func(name string) bool {
				return maps.Equal(it[in.ExpressionAttributeNames[m[1]]], in.ExpressionAttributeValues[name])
			})
		} else {
			return false, invalid("the filter %q is not known here", condition)
		}
		if !holds {
			return false, nil
		}
	}
	return true, nil
}

func (in scan) project(it item) item {
	if in.ProjectionExpression == "" {
		return it
	}
	left := item{}
	for name := range strings.SplitSeq(in.ProjectionExpression, ", ") {
		if v, ok := it[in.ExpressionAttributeNames[name]]; ok {
			left[in.ExpressionAttributeNames[name]] = v
		}
	}
	return left
}
