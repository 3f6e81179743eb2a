package view

import (
	"fmt"
	"testing"
)

// The order that was not asked for longest makes room for another.
func TestOrdersAreKeptByUse(t *testing.T) {
	t.Parallel()
	o := orders{made: map[string]*madeOrder{}}
	made := map[string]int{}
	get := func(field string) {
		o.get(field, func() *sorted { made[field]++; return newSorted() })
	}
	for i := range maxOrders {
		get(fmt.Sprint(i))
	}
	for i := range 3 * maxOrders { // somebody goes through many, beside one who pages by one
		get("0")
		get(fmt.Sprint("other-", i))
	}
	if made["0"] != 1 || len(o.made) != maxOrders || len(o.used) != maxOrders {
		t.Errorf("the order in use was made %d times; %d are kept, %d in the list", made["0"], len(o.made), len(o.used))
	}
	if get("1"); made["1"] != 2 {
		t.Errorf("an order that nobody asked for was kept for %d others", 3*maxOrders)
	}
}

// Who makes an order holds up only those who want the same.
func TestOrdersAreMadeApart(t *testing.T) {
	t.Parallel()
	o := orders{made: map[string]*madeOrder{}}
	o.get("ready", newSorted)
	begun, end, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		o.get("slow", func() *sorted { close(begun); <-end; return newSorted() })
	}()
	<-begun
	if o.get("ready", newSorted) == nil || o.get("another", newSorted) == nil {
		t.Error("no order")
	}
	close(end)
	<-over
}
