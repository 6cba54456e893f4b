package simulator

import (
	"slices"

	"fairbridge/pkg/internal/clip"
)

// The columns that every data package has.
const (
	TicketIDColumn   = "Ticket ID"
	DeliveryIDColumn = "Delivery ID" // the parameter deliveryId
)

// maxCell is the number of characters of a parameter that a cell shows, so that a report of
// many long texts stays readable.
const maxCell = 1000

type packagePage struct {
	Paging packagePaging   `json:"paging"`
	Fields []packageField  `json:"fields"`
	Data   [][]packageCell `json:"data"`
}

type packagePaging struct {
	TotalPages     int `json:"totalPages"`
	CurrentPage    int `json:"currentPage"`
	ResultsPerPage int `json:"resultsPerPage"`
	TotalResults   int `json:"totalResults"`
}

type packageField struct {
	DataType string `json:"dataType"`
	Name     string `json:"name"`
}

type packageCell struct {
	DataType      string `json:"dataType"`
	ComputedValue string `json:"computedValue"`
	FieldOrdinal  int    `json:"fieldOrdinal"`
	Values        []any  `json:"values"`
}

// dataPackage returns a page of a report on all tickets of a project, oldest first: the
// ticket's id, the delivery's id, and every parameter by name.
func (s *Simulator) dataPackage(project string, page int) packagePage {
	tickets := slices.DeleteFunc(s.Tickets(), func(t Ticket) bool { return t.Project != project })
	columns := []string{TicketIDColumn, DeliveryIDColumn}
	seen := make(map[string]bool)
	for _, t := range tickets {
		for name := range t.Fields {
			seen[name] = true
		}
	}
	for name := range seen {
		columns = append(columns, name)
	}
	slices.Sort(columns[2:])

	rows := s.config.PageRows
	pages := max(1, (len(tickets)+rows-1)/rows)
	page = min(max(page, 1), pages)
	p := packagePage{
		Paging: packagePaging{TotalPages: pages, CurrentPage: page, ResultsPerPage: rows, TotalResults: len(tickets)},
		Data:   [][]packageCell{},
	}
	for _, name := range columns {
		p.Fields = append(p.Fields, packageField{DataType: "Text", Name: name})
	}
	for _, t := range tickets[(page-1)*rows : min(page*rows, len(tickets))] {
		row := make([]packageCell, 0, len(columns))
		for i, name := range columns {
			value := ""
			switch i {
			case 0:
				value = t.ID
			case 1:
				value = text(t.Fields["deliveryId"])
			default:
				value = text(t.Fields[name])
			}
			row = append(row, packageCell{DataType: "Text", ComputedValue: clip.Text(value, maxCell, ""), FieldOrdinal: i, Values: []any{}})
		}
		p.Data = append(p.Data, row)
	}
	return p
}
