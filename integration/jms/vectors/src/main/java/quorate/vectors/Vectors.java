package quorate.vectors;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import org.apache.activemq.command.*;
import org.apache.activemq.openwire.OpenWireFormat;
import org.apache.activemq.util.ByteSequence;

/**
 * Prints a line for each structure, encoding and span of versions in which its bytes are the same:
 * "first-last encoding cache variant type hex". With a cache the structure is sent twice, so that the second frame refers to the first.
 */
public final class Vectors {
    private static final int VERSION_MAX = 12;
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.US_ASCII);

    private interface Source {
        DataStructure make() throws ReflectiveOperationException;
    }

    private Vectors() {}

    public static void main(String[] arguments) throws Exception {
        for (Class<? extends DataStructure> type : Rows.ALL.keySet()) {
            lines(type.getSimpleName(), "empty", () -> type.getDeclaredConstructor().newInstance());
            if (!Rows.ALL.get(type).isEmpty()) {
                lines(type.getSimpleName(), "full", () -> Values.full(type, 0));
            }
        }
        lines("ExceptionResponse", "traced", () -> {
            ExceptionResponse response = new ExceptionResponse(Values.exception("Exception", true));
            response.setCorrelationId(1);
            return response;
        });
        lines("ConsumerInfo", "unicode", () -> {
            ConsumerInfo info = new ConsumerInfo();
            info.setSelector("gr\u00fcn = '\u20ac' OR \ud83d\ude00 OR \0");
            return info;
        });
        lines("DestinationInfo", "booleans-of-64-bytes", () -> booleans(270));
        lines("DestinationInfo", "booleans-of-256-bytes", () -> booleans(1000));
        conversation(true);
        conversation(false);
        print("1-12", false, "plain", "greeting", "WireFormatInfo", greeting());
        OUT.flush();
    }

    private static void lines(String type, String variant, Source source) throws Exception {
        for (boolean tight : List.of(true, false)) {
            for (boolean cached : List.of(false, true)) {
                String last = null;
                int since = 0;
                for (int version = 1; version <= VERSION_MAX + 1; version++) {
                    String hex = version > VERSION_MAX ? null : frames(version, tight, cached, source.make());
                    if (last != null && !last.equals(hex)) {
                        print(since + "-" + (version - 1), tight, cached ? "cached" : "plain", variant, type, last);
                    }
                    if (hex == null || !hex.equals(last)) since = version;
                    last = hex;
                }
            }
        }
    }

    private static void print(String versions, boolean tight, String cache, String variant, String type, String hex) {
        OUT.println(String.join(" ", versions, tight ? "tight" : "loose", cache, variant, type, hex));
    }

    /** The frames in hex, or null if the version has no such structure. */
    private static String frames(int version, boolean tight, boolean cached, DataStructure structure) throws IOException {
        OpenWireFormat format = new OpenWireFormat(version);
        format.setTightEncodingEnabled(tight);
        format.setCacheEnabled(cached);
        format.setStackTraceEnabled(true);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int frame = 0; frame < (cached ? 2 : 1); frame++) {
            try {
                write(format, structure, out);
            } catch (NullPointerException unset) {
                // Some ids have no hash, which a cache needs, until they are set.
                return null;
            } catch (IOException unknown) {
                if (unknown.getMessage().startsWith("Unknown data type")) return null;
                throw unknown;
            }
        }
        return HexFormat.of().formatHex(out.toByteArray());
    }

    private static void write(OpenWireFormat format, DataStructure structure, ByteArrayOutputStream out) throws IOException {
        ByteSequence frame = format.marshal(structure);
        out.write(frame.data, frame.offset, frame.length);
    }

    /** The first frame of a connection. */
    private static String greeting() throws IOException {
        WireFormatInfo info = new WireFormatInfo();
        info.setVersion(VERSION_MAX);
        info.setCacheSize(1024);
        info.setMaxInactivityDuration(30_000);
        info.setHost("host");
        return frames(1, false, false, info);
    }

    /** Booleans of so many bytes that they are counted in another way. */
    private static DataStructure booleans(int structures) {
        DestinationInfo info = new DestinationInfo();
        BrokerId[] path = new BrokerId[structures];
        for (int i = 0; i < path.length; i++) {
            path[i] = new BrokerId(i % 7 == 0 ? "b" : null);
        }
        info.setBrokerPath(path);
        return info;
    }

    /** A cache that is too small for what is sent forgets what it was told longest ago. */
    private static void conversation(boolean tight) throws Exception {
        WireFormatInfo ours = new WireFormatInfo();
        ours.setVersion(VERSION_MAX);
        ours.setCacheEnabled(true);
        ours.setCacheSize(112);
        ours.setTightEncodingEnabled(tight);
        ours.setStackTraceEnabled(true);
        ours.setMaxFrameSize(1 << 20);
        OpenWireFormat format = new OpenWireFormat(VERSION_MAX);
        format.setPreferedWireFormatInfo(ours);
        format.renegotiateWireFormat(ours);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int i = 0; i < 50; i++) {
            for (int which : new int[] {i, i / 2, i % 7}) {
                ProducerInfo info = new ProducerInfo(new ProducerId(new SessionId(new ConnectionId("c"), which), which));
                info.setDestination(new ActiveMQQueue("q" + which % 5));
                write(format, info, out);
            }
        }
        print("12-12", tight, "cached", "small", "ProducerInfo", HexFormat.of().formatHex(out.toByteArray()));
    }
}
