// Command relay lets the Docker engine reach a server that runs on another machine than the engine, as far as loopback
// addresses go. It is the only program in its image. Both of its ports are published on 127.0.0.1, which every engine
// that runs in a virtual machine or in a network of its own forwards to the user's machine as well.
//
// The engine connects to port 5000. The server cannot be connected to from here, so it connects to port 5001, ahead of
// time. When the engine's next connection comes, one byte goes to the server and back; then the two connections are joined.
package main

import (
	"io"
	"log"
	"net"
	"sync"
	"time"
)

// answerWait is how long a waiting server may take to say that it is still there.
const answerWait = 5 * time.Second

func main() {
	clients, servers := listen(":5000"), listen(":5001")
	waiting := make(chan net.Conn)
	go accept(servers, func(server net.Conn) { waiting <- server })
	accept(clients, func(client net.Conn) {
		server := <-waiting
		for !ready(server) {
			_ = server.Close()
			server = <-waiting
		}
		join(client, server)
	})
}

func listen(address string) net.Listener {
	listener, err := net.Listen("tcp", address) //nolint:noctx // at once
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

func accept(listener net.Listener, handle func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go handle(conn)
	}
}

// ready says whether a server that has waited is still there.
func ready(server net.Conn) bool {
	if err := server.SetDeadline(time.Now().Add(answerWait)); err != nil {
		return false
	}
	one := []byte{1}
	if _, err := server.Write(one); err != nil {
		return false
	}
	if _, err := io.ReadFull(server, one); err != nil {
		return false
	}
	return server.SetDeadline(time.Time{}) == nil
}

// join passes on what either side sends, and the end of it, until both have ended.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Add(1)
		go func() {
			defer both.Done()
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].(*net.TCPConn).CloseWrite()
		}()
	}
	both.Wait()
	_ = a.Close()
	_ = b.Close()
}
