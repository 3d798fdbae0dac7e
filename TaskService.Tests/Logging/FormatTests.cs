using System.Net;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Logging;

public sealed class FormatTests
{
    private static readonly DateTime Time = new(2026, 11, 20, 15, 29, 2, 243, 817, DateTimeKind.Utc);

    [Fact]
    public void A_line_of_each_format_looks_as_documented()
    {
        Field[] fields =
        [
            new("message", "STARTING"), new("port", 8080), new("ok", true), new("none", default), new("x", 0.25),
        ];
        Assert.Equal(
            "2026-11-20 15:29:02,243 taskservice INFO : message=\"STARTING\" port=8080 ok=true none= x=0.25\n",
            Write(LogFormatKind.Brief, fields));
        Assert.Equal(
            "time=\"2026-11-20 15:29:02,243\" logger=\"taskservice\" level=\"INFO\" "
            + "message=\"STARTING\" port=8080 ok=true none= x=0.25\n",
            Write(LogFormatKind.Logfmt, fields));
        Assert.Equal(
            "{\"@t\":\"2026-11-20T15:29:02.2438170Z\",\"@m\":\"STARTING\",\"SourceContext\":\"taskservice\","
            + "\"port\":8080,\"ok\":true,\"none\":null,\"x\":0.25}\n",
            Write(LogFormatKind.Json, fields));
    }

    [Theory]
    [InlineData(LogLevel.Trace, "TRACE", "Verbose")]
    [InlineData(LogLevel.Debug, "DEBUG", "Debug")]
    [InlineData(LogLevel.Information, "INFO", null)]
    [InlineData(LogLevel.Warning, "WARNING", "Warning")]
    [InlineData(LogLevel.Error, "ERROR", "Error")]
    [InlineData(LogLevel.Critical, "CRITICAL", "Fatal")]
    public void Each_level_has_its_name(LogLevel level, string logfmt, string? json)
    {
        Assert.Equal(logfmt, LogfmtLine.Parse(Write(LogFormatKind.Logfmt, [], level: level).TrimEnd('\n'))["level"]);
        using var document = JsonDocument.Parse(Write(LogFormatKind.Json, [], level: level));
        Assert.Equal(json, document.RootElement.TryGetProperty("@l", out var name) ? name.GetString() : null);
    }

    [Fact]
    public void Any_text_comes_back_from_logfmt_and_from_JSON_on_one_line() =>
        Prop.ForAll(Texts, text =>
        {
            Field[] fields = [new("before", 1), new("text", text), new("after", 2)];
            var expected = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

            var logfmt = Write(LogFormatKind.Logfmt, fields);
            AssertOneLine(logfmt);
            Assert.Equal(expected, LogfmtLine.Parse(logfmt[..^1])["text"]);
            Assert.Equal("2", LogfmtLine.Parse(logfmt[..^1])["after"]);

            var json = Write(LogFormatKind.Json, fields);
            AssertOneLine(json);
            using var document = JsonDocument.Parse(json);
            Assert.Equal(expected, document.RootElement.GetProperty("text").GetString());
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("plain_key.x", "plain_key.x")]
    [InlineData("two words", "two_words")]
    [InlineData("a=b\"c\n", "a_b_c_")]
    [InlineData("é", "_")]
    [InlineData("", "_")]
    public void A_key_that_a_reader_would_stumble_over_is_mended(string key, string written) =>
        Assert.Equal(
            ["time", "logger", "level", written],
            LogfmtLine.Parse(Write(LogFormatKind.Logfmt, [new(key, 1)])[..^1]).Keys);

    [Fact]
    public void Json_keeps_the_template_the_exception_and_names_that_begin_with_an_at_sign_apart()
    {
        Field[] fields =
        [
            new("message", "3 left"), new("trace", "System.Exception: x"), new("@x", "mine"), new("bad", double.NaN),
        ];
        using var document = JsonDocument.Parse(Write(LogFormatKind.Json, fields, "{Count} left"));
        Assert.Equal("{Count} left", document.RootElement.GetProperty("@mt").GetString());
        Assert.Equal("System.Exception: x", document.RootElement.GetProperty("@x").GetString());
        Assert.Equal("mine", document.RootElement.GetProperty("@@x").GetString());
        Assert.Equal("NaN", document.RootElement.GetProperty("bad").GetString());
        Assert.False(document.RootElement.TryGetProperty("@m", out _));
    }

    [Fact]
    public void A_selection_of_fields_holds_for_every_format()
    {
        Field[] fields = [new("a", 1), new("b", 2), new("c", 3)];
        Assert.Equal("level=\"INFO\" c=3 a=1 logger=\"taskservice\"\n",
            Write(LogFormatKind.Logfmt, fields, selection: ["level", "c", "missing", "a", "logger"]));
        Assert.EndsWith("INFO : b=2\n", Write(LogFormatKind.Brief, fields, selection: ["b"]), StringComparison.Ordinal);
        Assert.EndsWith(
            "Z\",\"b\":2}\n", Write(LogFormatKind.Json, fields, selection: ["b"]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_duration_is_milliseconds_with_three_decimals()
    {
        Field[] fields =
        [
            new("a", TimeSpan.FromMicroseconds(7)),
            new("b", TimeSpan.FromSeconds(61)),
            new("c", TimeSpan.FromMilliseconds(-1.5)),
        ];
        var line = Write(LogFormatKind.Logfmt, fields);
        Assert.EndsWith("a=0.007 b=61000.000 c=-1.500\n", line, StringComparison.Ordinal);
    }

    [Fact]
    public void What_writes_itself_is_a_text_that_is_made_where_it_is_written()
    {
        Field[] fields =
        [
            new("v4", FieldValue.FromFormattable(IPAddress.Loopback)), new("none", FieldValue.FromFormattable(null)),
            new("v6", FieldValue.FromFormattable(IPAddress.IPv6Loopback)),
            new("odd", FieldValue.FromFormattable(new Rune('"'))),
            new("wide", FieldValue.FromFormattable(new Rune('é'))),
        ];
        Assert.EndsWith(
            "v4=\"127.0.0.1\" none= v6=\"::1\" odd=\"\\\"\" wide=\"é\"\n",
            Write(LogFormatKind.Logfmt, fields), StringComparison.Ordinal);
        using var json = JsonDocument.Parse(Write(LogFormatKind.Json, fields));
        Assert.Equal("127.0.0.1", json.RootElement.GetProperty("v4").GetString());
        Assert.Equal("\"", json.RootElement.GetProperty("odd").GetString());
    }

    [Fact]
    public void Anything_can_be_a_value()
    {
        (object? Given, FieldValue Expected)[] values =
        [
            (null, default), ("t", "t"), (true, true), ((byte)1, 1L), (int.MinValue, (long)int.MinValue), (1.5f, 1.5),
            (TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1)), (1.25m, "1.25"), (new Uri("http://a/"), "http://a/"),
            (ulong.MaxValue, "18446744073709551615"),
        ];
        Assert.All(values, pair => Assert.Equal(pair.Expected, FieldValue.From(pair.Given)));
    }

    private static Arbitrary<string> Texts { get; } = Gen.OneOf(
        Gen.Choose(0, 0xffff), Gen.Choose(0, 0xff), Gen.Choose('"', '"'), Gen.Choose('\\', '\\'),
        Gen.Choose(0xd800, 0xdfff),
        Gen.Elements(0x85, 0x2028, 0x2029, 0xfeff, '\n', '\r', '=', ' '))
        .ArrayOf().Select(units => new string([.. units.Select(unit => (char)unit)])).ToArbitrary();

    private static void AssertOneLine(string line)
    {
        Assert.Equal(line.Length - 1, line.IndexOf('\n', StringComparison.Ordinal));
        Assert.DoesNotContain(line[..^1], c => char.IsControl(c) || c is '\u2028' or '\u2029');
    }

    private static string Write(
        LogFormatKind kind, Field[] fields, string? template = null, IReadOnlyList<string>? selection = null,
        LogLevel level = LogLevel.Information)
    {
        var line = new Utf8Line();
        var format = LogFormat.Create(new LogFormatSettings(kind, selection));
        format.Write(new LogEvent(Time, "taskservice", level, fields, template), line);
        return Encoding.UTF8.GetString(line.Bytes);
    }
}
