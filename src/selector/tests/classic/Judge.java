// Asks ActiveMQ: reads questions (selector TAB property TAB ..) and writes each behind its verdict: T selected, F not, E refused, X failed.
//
// Made with org.apache.activemq:activemq-client 5.18.6 and what it needs (hawtbuf 1.11, jakarta.jms-api 2.0.3, slf4j-api 2.0.13) in $jars:
//   cut -f2- known.tsv | java -cp "$jars" Judge.java > again.tsv
//   python3 questions.py | java -cp "$jars" Judge.java > random.tsv
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.MessageId;
import org.apache.activemq.filter.BooleanExpression;
import org.apache.activemq.filter.MessageEvaluationContext;
import org.apache.activemq.selector.SelectorParser;

public class Judge {
    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(line.isEmpty() || line.startsWith("#") ? line : verdict(line.split("\t")) + "\t" + line);
        }
        out.flush();
    }

    static char verdict(String[] question) throws Exception {
        BooleanExpression selector;
        try {
            // Its cache forgets whether a selector had the prefix.
            SelectorParser.clearCache();
            selector = SelectorParser.parse(plain(question[0]));
        } catch (Exception refused) {
            return 'E';
        }
        MessageEvaluationContext context = new MessageEvaluationContext();
        context.setMessageReference(message(question));
        try {
            return selector.matches(context) ? 'T' : 'F';
        } catch (RuntimeException failed) {
            return 'X';
        }
    }

    /** Each property is NAME:TYPE=VALUE; the type h is for fields of the header. */
    static ActiveMQMessage message(String[] question) throws Exception {
        ActiveMQMessage message = new ActiveMQMessage();
        message.setPriority((byte) 4);
        for (int at = 1; at < question.length; at++) {
            int colon = question[at].indexOf(':');
            String name = question[at].substring(0, colon);
            String value = plain(question[at].substring(colon + 3));
            switch (question[at].charAt(colon + 1)) {
                case 'b': message.setProperty(name, Boolean.valueOf(value)); break;
                case 'l': message.setProperty(name, Long.valueOf(value)); break;
                case 'd': message.setProperty(name, Double.valueOf(value)); break;
                case 's': message.setProperty(name, value); break;
                default: header(message, name, value);
            }
        }
        return message;
    }

    static void header(ActiveMQMessage message, String name, String value) {
        switch (name) {
            case "JMSCorrelationID": message.setCorrelationId(value); break;
            case "JMSDeliveryMode": message.setPersistent(value.equals("PERSISTENT")); break;
            case "JMSDestination": message.setDestination(ActiveMQDestination.createDestination(value, (byte) 1)); break;
            case "JMSExpiration": message.setExpiration(Long.parseLong(value)); break;
            case "JMSMessageID": message.setMessageId(new MessageId(value)); break;
            case "JMSPriority": message.setPriority(Byte.parseByte(value)); break;
            case "JMSReplyTo": message.setReplyTo(ActiveMQDestination.createDestination(value, (byte) 1)); break;
            case "JMSTimestamp": message.setTimestamp(Long.parseLong(value)); break;
            case "JMSType": message.setType(value); break;
            case "JMSXDeliveryCount": message.setRedeliveryCounter(Integer.parseInt(value) - 1); break;
            case "JMSXGroupID": message.setGroupID(value); break;
            case "JMSXGroupSeq": message.setGroupSequence(Integer.parseInt(value)); break;
            case "JMSXUserID": message.setUserID(value); break;
            default: throw new IllegalArgumentException(name);
        }
    }

    static String plain(String text) {
        return text.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r");
    }
}
