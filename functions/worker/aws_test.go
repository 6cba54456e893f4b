package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestMaxReceivesIsTheTemplates(t *testing.T) {
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("maxReceiveCount: %d\n", maxReceives); !strings.Contains(string(template), want) {
		t.Errorf("template.yaml does not say %q", want)
	}
}
