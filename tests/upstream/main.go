// Command upstream runs Kubernetes' own library on inputs that it reads as JSON lines, and prints what it made of them.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/klog/v2"
)

var operations = map[string]func(json.RawMessage) (any, error){
	"reconcile":    reconcile,
	"load":         load,
	"encode":       encode,
	"sync":         sync,
	"keep":         keep,
	"decode":       decode,
	"write":        writeList,
	"pack":         pack,
	"tracker":      tracker,
	"triggerTimes": triggerTimes,
	"affected":     affected,
	"validate":     validate,
	"repack":       repack,
	"proxy":        proxyEvents,
	"books":        proxyBooks,
	"follow":       follow,
	"fold":         fold,
	"endpoints":    buildEndpoints,
	"mirror":       mirror,
	"translate":    translate,
	"frames":       frames,
}

func main() {
	klog.SetLogger(klog.Logger{})
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			answer(out, line)
		}
		if err != nil {
			return
		}
	}
}

func answer(out *bufio.Writer, line []byte) {
	result, err := run(line)
	if err != nil {
		result = map[string]string{"error": err.Error()}
	}
	text, err := json.Marshal(result)
	if err != nil {
		text = []byte(`{"error":"the answer has no form in JSON"}`)
	}
	out.Write(append(text, '\n'))
	out.Flush()
}

func run(line []byte) (result any, err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			err = fmt.Errorf("panic: %v", trouble)
		}
	}()
	var head struct{ Op string }
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, err
	}
	operation, known := operations[head.Op]
	if !known {
		return nil, fmt.Errorf("unknown operation %q", head.Op)
	}
	return operation(line)
}
