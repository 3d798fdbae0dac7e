using System.Globalization;
using System.Text;

namespace TaskService.Tests.Support;

/// <summary>
/// A reader of logfmt that shares nothing with the writer: keys up to the sign, bare values up to a blank, quoted
/// ones with the escapes of JSON. It is written after the grammar of the kr/logfmt documentation.
/// </summary>
internal sealed class LogfmtLine
{
    private readonly List<(string Key, string? Value)> pairs = [];

    private LogfmtLine()
    {
    }

    public IEnumerable<string> Keys => pairs.Select(pair => pair.Key);

    /// <summary>The one value of this key; fails when there is none, or two.</summary>
    public string? this[string key] => Assert.Single(pairs, pair => pair.Key == key).Value;

    public static LogfmtLine Parse(string line)
    {
        var result = new LogfmtLine();
        var at = 0;
        while (at < line.Length)
        {
            var sign = line.IndexOf('=', at);
            Assert.True(sign > at, $"no key at {at} of: {line}");
            var key = line[at..sign];
            Assert.DoesNotContain(' ', key);
            at = sign + 1;
            var value = at < line.Length && line[at] == '"' ? Quoted(line, ref at) : Bare(line, ref at);
            result.pairs.Add((key, value));
            Assert.True(at == line.Length || line[at] == ' ', $"no blank at {at} of: {line}");
            at++;
        }
        return result;
    }

    /// <summary>The pairs behind the bare head of a brief line.</summary>
    public static LogfmtLine ParseBrief(string line) =>
        Parse(line[(line.IndexOf(" : ", StringComparison.Ordinal) + 3)..]);

    private static string? Bare(string line, ref int at)
    {
        var end = line.IndexOf(' ', at);
        end = end < 0 ? line.Length : end;
        var value = line[at..end];
        at = end;
        return value.Length == 0 ? null : value;
    }

    private static string Quoted(string line, ref int at)
    {
        var value = new StringBuilder();
        for (at++; line[at] != '"'; at++)
        {
            if (line[at] != '\\')
            {
                value.Append(line[at]);
                continue;
            }
            at++;
            switch (line[at])
            {
                case 'n': value.Append('\n'); break;
                case 'r': value.Append('\r'); break;
                case 't': value.Append('\t'); break;
                case 'u':
                    value.Append((char)int.Parse(
                        line.AsSpan(at + 1, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                    at += 4;
                    break;
                default:
                    Assert.Contains(line[at], "\"\\");
                    value.Append(line[at]);
                    break;
            }
        }
        at++;
        return value.ToString();
    }
}
