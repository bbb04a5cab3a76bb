// kube-proxy's bookkeeping of EndpointSlices.
package main

import (
	"encoding/json"
	"fmt"
	"sort"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/kubernetes/pkg/proxy"
)

type sliceEvent struct {
	Type   string
	Object *discoveryv1.EndpointSlice
}

// servicePort answers what CategorizeEndpoints asks of a Service.
type servicePort struct {
	proxy.ServicePort
	local bool
}

func (port servicePort) UsesClusterEndpoints() bool { return !port.local }
func (port servicePort) UsesLocalEndpoints() bool   { return port.local }
func (port servicePort) String() string             { return "port" }

type usable struct {
	Namespace string   `json:"namespace"`
	Service   string   `json:"service"`
	Port      string   `json:"port"`
	Protocol  string   `json:"protocol"`
	All       []string `json:"all"`
	Cluster   []string `json:"cluster"`
	Local     []string `json:"local"`
}

// proxyEvents feeds events to kube-proxy's trackers of both families and answers which endpoints it would use for each port.
func proxyEvents(line json.RawMessage) (any, error) {
	var input struct {
		Events []sliceEvent
		Node   string
		Zone   string
	}
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	found := []usable{}
	localReady := map[string]int{}
	labels := map[string]string{corev1.LabelTopologyZone: input.Zone}
	for _, family := range []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol} {
		tracker := proxy.NewEndpointsChangeTracker(family, input.Node, nil, nil)
		held := proxy.EndpointsMap{}
		for _, event := range input.Events {
			tracker.EndpointSliceUpdate(event.Object, event.Type == "DELETED")
			held.Update(tracker)
		}
		for name, endpoints := range held {
			cluster, _, _, _ := proxy.CategorizeEndpoints(endpoints, servicePort{}, input.Node, labels)
			_, local, _, _ := proxy.CategorizeEndpoints(endpoints, servicePort{local: true}, input.Node, labels)
			found = append(found, usable{name.Namespace, name.Name, name.Port, string(name.Protocol),
				texts(endpoints), texts(cluster), texts(local)})
		}
		for service, count := range held.LocalReadyEndpoints() {
			localReady[service.String()] += count
		}
	}
	return map[string]any{"ports": found, "localReady": localReady}, nil
}

// proxyBooks feeds events to kube-proxy's tracker and answers, after every single one, what it holds of each endpoint for each port.
func proxyBooks(line json.RawMessage) (any, error) {
	var input struct{ Events []sliceEvent }
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	tracker := proxy.NewEndpointsChangeTracker(corev1.IPv4Protocol, "node", nil, nil)
	held := proxy.EndpointsMap{}
	books := []map[string]map[string][]string{}
	for _, event := range input.Events {
		tracker.EndpointSliceUpdate(event.Object, event.Type == "DELETED")
		held.Update(tracker)
		ports := map[string]map[string][]string{}
		for name, endpoints := range held {
			book := map[string][]string{}
			for _, one := range endpoints {
				state := fmt.Sprintf("ready=%t serving=%t terminating=%t", one.IsReady(), one.IsServing(), one.IsTerminating())
				book[one.IP()] = append(book[one.IP()], state)
			}
			ports[name.String()] = book
		}
		books = append(books, ports)
	}
	return map[string]any{"books": books}, nil
}

func texts(endpoints []proxy.Endpoint) []string {
	list := []string{}
	for _, endpoint := range endpoints {
		list = append(list, endpoint.String())
	}
	sort.Strings(list)
	return list
}
