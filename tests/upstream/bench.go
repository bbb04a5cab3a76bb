// Work on one loaded input, over and over, for benches/. Each turn times itself, so that the pipe is not counted.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand"
	"runtime"
	"syscall"
	"time"
	_ "unsafe" // for go:linkname

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/endpointslice"
	"k8s.io/endpointslice/topologycache"
	"k8s.io/endpointslice/util"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/proxy"
)

// moment is one by the clock and by what the process has worked until then.
type moment struct {
	wall time.Time
	work time.Duration
}

func now() moment {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return moment{time.Now(), time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}
}

// until is the lesser of both: the collector works beside us, and so do other programs.
func (start moment) until(end moment) float64 {
	return min(end.wall.Sub(start.wall), end.work-start.work).Seconds()
}

func seconds(start moment) (any, error) {
	return map[string]any{"seconds": start.until(now())}, nil
}

var loaded struct {
	line       json.RawMessage
	input      reconcileInput
	reconciler *endpointslice.Reconciler
	protobuf   encodedInput
}

func reconcilerOf(input *reconcileInput) (*endpointslice.Reconciler, error) {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, node := range input.Nodes {
		if err := indexer.Add(node); err != nil {
			return nil, err
		}
	}
	return endpointslice.NewReconciler(newClient(), corelisters.NewNodeLister(indexer), input.Max,
		util.NewEndpointSliceTracker(), topologycache.NewTopologyCache(), record.NewFakeRecorder(1000), input.Controller), nil
}

// load keeps an input, whose slices must be what its Pods want: syncs of it write nothing.
func load(line json.RawMessage) (any, error) {
	loaded.line = append(json.RawMessage(nil), line...)
	loaded.input, loaded.protobuf = reconcileInput{}, encodedInput{}
	if err := json.Unmarshal(line, &loaded.input); err != nil {
		return nil, err
	}
	var err error
	loaded.reconciler, err = reconcilerOf(&loaded.input)
	return map[string]any{}, err
}

// encode writes what was loaded as the API server sends it, for sync and for whoever asks.
func encode(json.RawMessage) (any, error) {
	var err error
	loaded.protobuf, err = encodedOf(&loaded.input)
	return loaded.protobuf, err
}

// sync reconciles what was loaded once, from its JSON or its protobuf if asked to. A write would fail, as the API server has no slices.
func sync(line json.RawMessage) (any, error) {
	var question struct{ Decode, Protobuf bool }
	if err := json.Unmarshal(line, &question); err != nil {
		return nil, err
	}
	if loaded.reconciler == nil {
		return nil, errors.New("nothing is loaded")
	}
	start := now()
	input := &loaded.input
	if question.Decode {
		input = &reconcileInput{}
		if err := json.Unmarshal(loaded.line, input); err != nil {
			return nil, err
		}
	}
	if question.Protobuf {
		var err error
		if input, err = loaded.protobuf.decoded(); err != nil {
			return nil, err
		}
	}
	if err := loaded.reconciler.Reconcile(klog.Background(), input.Service, input.Pods, input.Slices, time.Time{}); err != nil {
		return nil, err
	}
	return seconds(start)
}

var kept struct {
	list       json.RawMessage
	protobuf   []byte
	wanted     json.RawMessage
	controller string
	read       *discoveryv1.EndpointSliceList
}

// keep keeps a list of slices as JSON and as protobuf, and the endpoints that they should hold.
func keep(line json.RawMessage) (any, error) {
	var input struct {
		List       json.RawMessage
		Protobuf   []byte
		Wanted     json.RawMessage
		Controller string
	}
	err := json.Unmarshal(line, &input)
	kept.list, kept.protobuf, kept.wanted, kept.controller = input.List, input.Protobuf, input.Wanted, input.Controller
	kept.read, packing.slices, packing.wanted = nil, nil, nil
	return map[string]any{}, err
}

// decode reads the list that is kept, as a client of the API does, and tells what it weighs in memory if asked to.
func decode(line json.RawMessage) (any, error) {
	var question struct{ Protobuf, Weigh bool }
	if err := json.Unmarshal(line, &question); err != nil {
		return nil, err
	}
	var before, after runtime.MemStats
	if question.Weigh {
		runtime.GC()
		runtime.ReadMemStats(&before)
	}
	start := now()
	list, err := decoded(question.Protobuf)
	if err != nil {
		return nil, err
	}
	if question.Weigh {
		runtime.GC()
		runtime.ReadMemStats(&after)
		return map[string]any{"bytes": after.HeapAlloc - before.HeapAlloc, "slices": len(list.Items)}, nil
	}
	return seconds(start)
}

func decoded(protobuf bool) (*discoveryv1.EndpointSliceList, error) {
	decode, data := asJSON.Decode, []byte(kept.list)
	if protobuf {
		decode, data = asProtobuf.Decode, kept.protobuf
	}
	object, _, err := decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	list, fits := object.(*discoveryv1.EndpointSliceList)
	if !fits || len(list.Items) == 0 {
		return nil, errors.New("no slices are kept")
	}
	return list, nil
}

// writeList writes the list that is kept, as the API server does.
func writeList(line json.RawMessage) (any, error) {
	var question struct{ Protobuf bool }
	if err := json.Unmarshal(line, &question); err != nil {
		return nil, err
	}
	if kept.read == nil {
		list, err := decoded(kept.list == nil)
		if err != nil {
			return nil, err
		}
		list.SetGroupVersionKind(discoveryv1.SchemeGroupVersion.WithKind("EndpointSliceList"))
		kept.read = list
	}
	encode := asJSON.Encode
	if question.Protobuf {
		encode = asProtobuf.Encode
	}
	var out bytes.Buffer
	start := now()
	if err := encode(kept.read, &out); err != nil {
		return nil, err
	}
	end := now()
	return map[string]any{"seconds": start.until(end), "bytes": out.Len()}, nil
}

var packing struct {
	slices []*discoveryv1.EndpointSlice
	wanted []*discoveryv1.Endpoint
}

// The packing step is a private method with a private argument of this form.
type endpointMeta struct {
	ports       []discoveryv1.EndpointPort
	addressType discoveryv1.AddressType
}

//go:linkname reconcileByPortMapping k8s.io/endpointslice.(*Reconciler).reconcileByPortMapping
func reconcileByPortMapping(reconciler *endpointslice.Reconciler, logger klog.Logger, service *corev1.Service,
	existing []*discoveryv1.EndpointSlice, desired util.EndpointSet, meta *endpointMeta) (
	create, update, remove []*discoveryv1.EndpointSlice, added, removed int)

// pack runs the packing step alone on what is kept, from its JSON if asked to. Nothing may be left to write.
func pack(line json.RawMessage) (any, error) {
	var question struct{ Decode, Shuffle bool }
	if err := json.Unmarshal(line, &question); err != nil {
		return nil, err
	}
	start := now()
	if packing.slices == nil || question.Decode {
		if err := decodePacking(); err != nil {
			return nil, err
		}
	}
	if question.Shuffle {
		random := rand.New(rand.NewSource(7))
		random.Shuffle(len(packing.wanted), func(i, j int) {
			packing.wanted[i], packing.wanted[j] = packing.wanted[j], packing.wanted[i]
		})
	}
	if !question.Decode {
		start = now()
	}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"},
		Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.1"}}
	first := packing.slices[0]
	reconciler, err := reconcilerOf(&reconcileInput{Max: 100, Controller: kept.controller})
	if err != nil {
		return nil, err
	}
	set := util.EndpointSet{}.Insert(packing.wanted...)
	step := now()
	create, update, remove, _, _ := reconcileByPortMapping(reconciler, klog.Background(), service, packing.slices, set,
		&endpointMeta{first.Ports, first.AddressType})
	end := now()
	if len(create)+len(update)+len(remove) > 0 {
		return nil, errors.New("the packing step would write")
	}
	return map[string]any{"seconds": start.until(end), "step": step.until(end)}, nil
}

func decodePacking() error {
	list, err := decoded(false)
	if err != nil {
		return err
	}
	var wanted []discoveryv1.Endpoint
	if err := json.Unmarshal(kept.wanted, &wanted); err != nil {
		return err
	}
	packing.slices, packing.wanted = nil, nil
	for i := range list.Items {
		packing.slices = append(packing.slices, &list.Items[i])
	}
	for i := range wanted {
		packing.wanted = append(packing.wanted, &wanted[i])
	}
	return nil
}

var following struct {
	tracker *proxy.EndpointsChangeTracker
	held    proxy.EndpointsMap
	change  []*discoveryv1.EndpointSlice
	turn    int
}

// follow lets kube-proxy's trackers hold the slices of a Service, and keeps states of one of them.
func follow(line json.RawMessage) (any, error) {
	var input struct{ Slices, Change []*discoveryv1.EndpointSlice }
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	following.tracker = proxy.NewEndpointsChangeTracker(corev1.IPv4Protocol, "node", nil, nil)
	following.held, following.change, following.turn = proxy.EndpointsMap{}, input.Change, 0
	for _, slice := range input.Slices {
		following.tracker.EndpointSliceUpdate(slice, false)
	}
	following.held.Update(following.tracker)
	return map[string]any{}, nil
}

// fold does what kube-proxy does for one changed slice of a Service that it holds already.
func fold(json.RawMessage) (any, error) {
	if len(following.change) == 0 {
		return nil, errors.New("nothing is followed")
	}
	slice := following.change[following.turn%len(following.change)]
	following.turn++
	start := now()
	following.tracker.EndpointSliceUpdate(slice, false)
	following.held.Update(following.tracker)
	return seconds(start)
}
