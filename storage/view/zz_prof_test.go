package view_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

func TestZZProf(t *testing.T) {
	rows := org(100_000)
	js := 0
	for _, r := range rows {
		js += len(r.JSON)
	}
	before := heap()
	f, _ := os.Create("/tmp/view/cpu.prof")
	pprof.StartCPUProfile(f)
	start := time.Now()
	v := loaded(t, 1, rows...)
	took := time.Since(start)
	pprof.StopCPUProfile()
	f.Close()
	after := heap()
	g, _ := os.Create("/tmp/view/heap.prof")
	pprof.Lookup("heap").WriteTo(g, 0)
	g.Close()
	served := 0
	for _, r := range refs(t, v) {
		served += len(byRef(v, r).JSON())
	}
	fmt.Println("load", took, "heap/entity", (after-before)/100_000, "src", js/100_000, "served", served/100_000)
	runtime.KeepAlive(rows)
}
