using System.Text.RegularExpressions;

namespace TaskService.Tests.Tidy;

/// <summary>
/// What is not written here, and what is written instead. An analyzer finds the symbols in <c>BannedSymbols.txt</c>;
/// here is syntax, and what is banned in some folders only.
/// </summary>
public sealed class BannedTests
{
    private static readonly Layout App = new("App", "App", []);

    private static readonly Ban[] Bans =
    [
        new(@"\bTask\.Delay\b", "wait for a condition, with what Support has for it", InTests),
        new(@"\bConsole\.((Out|Error)\.)?Write\w*", "use a logger; only start and end speak to the console", IsLogged),
        new(@"#\s*region\b", "split the type"),
        new(@"#\s*if\b", "options are configuration, platforms are OperatingSystem.Is…()"),
        new(@"\basync\s+void\b", "return Task: nobody can wait for it, and its exception ends the process"),
    ];

    [Fact]
    public void Nothing_banned_is_written() =>
        Finding.ExpectNone(SourceTree.CSharp.SelectMany(file => Banned(SourceTree.Layout, file)));

    [Fact]
    public void Nothing_is_left_for_later() => Finding.ExpectNone(SourceTree.CSharp.SelectMany(Postponed));

    [Fact]
    public void No_exception_is_swallowed_without_a_reason() =>
        Finding.ExpectNone(SourceTree.CSharp.SelectMany(Swallowed));

    [Theory]
    [InlineData("App/Api/X.cs", "Console.WriteLine(1);")]
    [InlineData("App/Api/X.cs", "var text = $\"{{no}} {Console.Write(1):F0} \";")]
    [InlineData("App/Api/X.cs", "var text = $@\"\"\"quoted\"\" {Console.Write(1)}\";")]
    [InlineData("App/Api/X.cs", "var text = $$\"\"\"{\"no\": {{Console.Write(1)}}}\"\"\";")]
    [InlineData("App/Api/X.cs", "var quote = '\"'; Console.Write(1); var other = '\\'';")]
    [InlineData("App.Tests/X.cs", "await Console.Error.WriteLineAsync(\"\");")]
    [InlineData("App.Tests/X.cs", "await Task.Delay(10);")]
    [InlineData("App/X.cs", "  #region Properties, don't")]
    [InlineData("App/X.cs", "#if DEBUG")]
    [InlineData("App/X.cs", "private async void Go()")]
    public void A_banned_call_is_found(string path, string code) =>
        Assert.Single(Banned(App, new SourceFile(path, code)));

    [Theory]
    [InlineData("App/Api/X.cs", "// Console.Write\n/* Console.Write\n#region */")]
    [InlineData("App/Api/X.cs", "var text = \"#region \\\" Console.Write\";")]
    [InlineData("App/Api/X.cs", "var text = @\"Console.Write \"\" \\\"; var other = \"Console.Write\";")]
    [InlineData("App/Api/X.cs", "var text = $\"{{Console.Write}} {x:Console.Write} {(a ? \"#if\" : \"}\")}\";")]
    [InlineData("App/Api/X.cs", "var text = \"\"\"\n\"Console.Write\" {\n#if DEBUG\n\"\"\";")]
    [InlineData("App/Api/X.cs", "var text = $\"\"\"Console.Write {x} Console.Write\"\"\";")]
    [InlineData("App/Api/X.cs", "var text = $$\"\"\"{Console.Write} {{{y}} Console.Write\"\"\";")]
    [InlineData("App/X.cs", "await Task.Delay(preStopDelay);")]
    [InlineData("App.Tests/Support/X.cs", "await Task.Delay(pause);")]
    [InlineData("App/Program.cs", "Console.WriteLine(1);")]
    [InlineData("App/Hosting/CommandLine.cs", "Console.Error.WriteLine(1);")]
    [InlineData("App.Benchmarks/X.cs", "Console.WriteLine(1);")]
    [InlineData("run.cs", "Console.WriteLine(1);")]
    [InlineData("App/Api/X.cs", "var output = Console.OpenStandardOutput(); MyConsole.Write(1);")]
    [InlineData("App/X.cs", "#pragma warning disable CS1998 // as #if has it")]
    [InlineData("App/X.cs", "private async Task Void() => Go();")]
    public void What_only_looks_like_a_banned_call_is_not(string path, string code) =>
        Assert.Empty(Banned(App, new SourceFile(path, code)));

    [Theory]
    [InlineData("// TODO: all of it", 1)]
    [InlineData("/* FIXME */ var x = 1; // HACK", 2)]
    [InlineData("class TodoList { string x = \"TODO\"; } // The todo list, of TODOs and hacks.", 0)]
    public void What_is_left_for_later_is_found(string code, int findings) =>
        Assert.Equal(findings, Postponed(new SourceFile("X.cs", code)).Count());

    [Theory]
    [InlineData("try { F(); } catch { }", 1)]
    [InlineData("try { F(); }\ncatch (Exception error) when (error is IOException)\n{\n}", 1)]
    [InlineData("try { F(); }\ncatch (IOException)\n{\n// It is gone, which is what was wanted.\n}", 0)]
    [InlineData("try { F(); } catch (Exception error) when (error is { } other) { throw; }", 0)]
    [InlineData("// catch { }\nvar text = \"catch { }\"; void F() { }", 0)]
    public void An_exception_that_is_swallowed_in_silence_is_found(string code, int findings) =>
        Assert.Equal(findings, Swallowed(new SourceFile("X.cs", code)).Count());

    private static IEnumerable<Finding> Banned(Layout layout, SourceFile file) =>
        from ban in Bans
        where ban.AppliesTo is null || ban.AppliesTo(layout.LayerOf(file.Path), file)
        from match in Regex.Matches(file.CSharp.Code, ban.Pattern)
        select file.Finding(match.Index, $"{match.Value} is banned", ban.Instead);

    // Somebody has to do the waiting for a condition.
    private static bool InTests(string? layer, SourceFile file) =>
        layer == "Tests" && !file.Path.Contains("/Support/", StringComparison.Ordinal);

    // Where a program that is no service speaks to who started it.
    private static bool IsLogged(string? layer, SourceFile file) =>
        layer is not (null or "Benchmarks")
        && file.Name is not ("Program.cs" or "ExitCodes.cs" or "CommandLine.cs" or "ConfigFile.cs");

    private static IEnumerable<Finding> Postponed(SourceFile file) =>
        new[] { file.CSharp.Code, file.CSharp.Comments }
            .SelectMany(text => Regex.Matches(text, @"\b(TODO|FIXME|HACK)\b"))
            .Select(match => file.Finding(match.Index, $"{match.Value} stays for ever", "do it now, or open an issue"));

    private static IEnumerable<Finding> Swallowed(SourceFile file) =>
        from match in Regex.Matches(file.CSharp.Code, @"\bcatch\b(?<filter>[^{};]*)\{(?<body>\s*)\}")
        let filter = match.Groups["filter"].Value
        let body = match.Groups["body"]
        where filter.Count(c => c == '(') == filter.Count(c => c == ')')
        where string.IsNullOrWhiteSpace(file.CSharp.Comments.Substring(body.Index, body.Length))
        select file.Finding(match.Index, "an exception is swallowed", "handle it, or say in the body why it is right");

    /// <param name="Pattern">Of code without comments and the content of strings.</param>
    /// <param name="Instead">What to write.</param>
    /// <param name="AppliesTo">Says of a layer and a file in it whether it is banned there; null says yes.</param>
    private sealed record Ban(string Pattern, string Instead, Func<string?, SourceFile, bool>? AppliesTo = null);
}
