package quorate.jms;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/** A way to a broker, on a port of its own, that can be cut: connections over it break, and new ones may come. */
public final class Link {
    private final String host;
    private final int port;
    private final ServerSocket door;
    private final List<Socket> clients = new ArrayList<>();
    private final List<Socket> brokers = new ArrayList<>();

    Link(String host, int port) throws IOException {
        this.host = host;
        this.port = port;
        door = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        spawn(this::accept);
    }

    public int port() {
        return door.getLocalPort();
    }

    /** Breaks every connection, on both sides. */
    public synchronized void cut() {
        shut(clients);
        shut(brokers);
    }

    /** Breaks every connection on the client's side; the broker does not see it, as when a host falls silent. */
    public synchronized void cutUnseen() {
        shut(clients);
    }

    void close() throws IOException {
        door.close();
        cut();
    }

    private void accept() {
        while (true) {
            try {
                Socket client = door.accept();
                join(client, new Socket(host, port));
            } catch (IOException failed) {
                if (door.isClosed()) {
                    return;
                }
            }
        }
    }

    private synchronized void join(Socket client, Socket broker) {
        clients.add(client);
        brokers.add(broker);
        spawn(() -> pump(client, broker));
        spawn(() -> {
            pump(broker, client);
            shut(List.of(client));
        });
    }

    /** Ends without closing the other side: {@link #cutUnseen} leaves the broker in the belief that all is well. */
    private static void pump(Socket from, Socket to) {
        byte[] buffer = new byte[16 << 10];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                out.write(buffer, 0, read);
            }
        } catch (IOException broken) {
            // As it should be after a cut.
        }
    }

    private static void shut(List<Socket> sockets) {
        for (Socket socket : sockets) {
            try {
                socket.close();
            } catch (IOException closed) {
                // It is closed all the same.
            }
        }
    }

    private static void spawn(Runnable task) {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        thread.start();
    }
}
