using System.Text.RegularExpressions;

namespace TaskService.Tests.Tidy;

/// <summary>Folders are layers, and names go one way between them.</summary>
public sealed class LayerTests
{
    private static readonly Layout MyShop = new("my-shop", "My.Shop", ["Settings"]);

    [Fact]
    public void No_layer_names_what_it_must_not_know() =>
        Finding.ExpectNone(SourceTree.CSharp.SelectMany(file => Unknowables(SourceTree.Layout, file)));

    [Fact]
    public void Every_namespace_is_the_path_of_its_folder() =>
        Finding.ExpectNone(SourceTree.CSharp.SelectMany(file => Misplaced(SourceTree.Layout, file)));

    [Fact]
    public void Every_layer_with_a_rule_is_found_in_the_tree()
    {
        HashSet<string?> layers =
        [
            "Hosting", "Http", "Tasks", "Storage", "Operations", "Domain", "Configuration", "Telemetry", "Tests",
        ];
        Assert.Superset(layers, SourceTree.CSharp.Select(file => SourceTree.Layout.LayerOf(file.Path)).ToHashSet());
    }

    [Theory]
    [InlineData("my-shop/Domain/X.cs", "using My.Shop.Tasks;")]
    [InlineData("my-shop/Domain/X.cs", "using My.Shop.Telemetry.Logging;")]
    [InlineData("my-shop/Domain/Deep/X.cs", "var x = new Storage.TaskRow();")]
    [InlineData("my-shop/Domain/X.cs", "internal sealed class X(Settings settings);")]
    [InlineData("my-shop/Domain/X.cs", "using Microsoft.AspNetCore.Routing;")]
    [InlineData("my-shop/Domain/X.cs", "void F(HttpContext http);")]
    [InlineData("my-shop/Tasks/X.cs", "using My.Shop.Storage.FileSystem;")]
    [InlineData("my-shop/Tasks/X.cs", "global::My.Shop.Operations.Health.Live();")]
    [InlineData("my-shop/Storage/X.cs", "using static My.Shop.Tasks.Problem;")]
    [InlineData("my-shop/Storage/X.cs", "var text = $\"{Tasks.TaskJson.Options}\";")]
    [InlineData("my-shop/Operations/X.cs", "using Store = My.Shop.Storage.MemoryEngine;")]
    [InlineData("my-shop/Configuration/X.cs", "using My.Shop.Domain;")]
    [InlineData("my-shop/Http/X.cs", "using My.Shop.Tasks;")]
    [InlineData("my-shop/Tasks/X.cs", "using My.Shop.Hosting;")]
    [InlineData("my-shop.Telemetry/X.cs", "using My.Shop.Domain;")]
    [InlineData("my-shop.Telemetry/Logging/X.cs", "using Microsoft.AspNetCore.Http;")]
    [InlineData("my-shop.Telemetry/X.cs", "var source = new NpgsqlDataSourceBuilder();")]
    [InlineData("my-shop.Telemetry/X.cs", "using Microsoft.Data.Sqlite;")]
    public void A_name_of_what_the_layer_must_not_know_is_found(string path, string code) =>
        Assert.NotEmpty(Unknowables(MyShop, new SourceFile(path, code)));

    [Theory]
    [InlineData("my-shop/Domain/X.cs", "// My.Shop.Tasks and Microsoft.AspNetCore\nnamespace My.Shop.Domain;")]
    [InlineData("my-shop/Domain/X.cs", "var text = \"My.Shop.Tasks\"; var settings = other.Settings;")]
    [InlineData("my-shop/Tasks/X.cs", "using My.Shop.Domain; using My.Shop.Telemetry; using My.Shop.Configuration;")]
    [InlineData("my-shop/Tasks/X.cs", "var engine = settings.Storage.Engine; var apiStorage = Storage;")]
    [InlineData("my-shop/Tasks/X.cs", "using My.Shop.Tasks.Deep; using Microsoft.AspNetCore.Http;")]
    [InlineData("my-shop/Program.cs", "using My.Shop.Tasks; using My.Shop.Storage;")]
    [InlineData("my-shop.Tests/Tasks/X.cs", "using My.Shop.Storage;")]
    [InlineData("my-shop.Telemetry/X.cs", "using My.Shop.Telemetry.Logging; AddSource(\"Npgsql\");")]
    public void A_name_of_what_the_layer_may_know_is_not(string path, string code) =>
        Assert.Empty(Unknowables(MyShop, new SourceFile(path, code)));

    [Theory]
    [InlineData("my-shop/Storage/FileSystem/X.cs", "namespace My.Shop.Storage;")]
    [InlineData("my-shop/X.cs", "namespace My.Shop.Tasks;")]
    [InlineData("my-shop.Telemetry/X.cs", "namespace My.Shop { class X; }")]
    [InlineData("my-shop/Tasks/X.cs", "internal sealed record X;")]
    public void A_namespace_that_is_not_the_path_is_found(string path, string code) =>
        Assert.NotEmpty(Misplaced(MyShop, new SourceFile(path, code)));

    [Theory]
    [InlineData("my-shop/Storage/FileSystem/X.cs", "namespace My.Shop.Storage.FileSystem;")]
    [InlineData("my-shop/X.cs", "namespace My.Shop;")]
    [InlineData("my-shop.Tests/Tasks/X.cs", "namespace My.Shop.Tests.Tasks;")]
    [InlineData("my-shop.Tests/Usings.cs", "global using Xunit; // and no class of its own")]
    [InlineData("run.cs", "internal sealed record X;")]
    public void A_namespace_that_is_the_path_is_not(string path, string code) =>
        Assert.Empty(Misplaced(MyShop, new SourceFile(path, code)));

    private static IEnumerable<Finding> Unknowables(Layout layout, SourceFile file)
    {
        var layer = layout.LayerOf(file.Path) ?? "";
        var (foreign, fix) = RuleOf(layer, layout);
        var ours = new Regex($@"(?<![\w.])({Regex.Escape(layout.Namespace)}\.(?<layer>\w+)"
            + @"|(?<layer>Hosting|Http|Tasks|Storage|Operations|Domain|Configuration|Telemetry)(?=\.\w))");
        var named = ours.Matches(file.CSharp.Code).Where(match => !MayName(layer, match.Groups["layer"].Value))
            .Concat(foreign.Matches(file.CSharp.Code));
        return named.Select(match => file.Finding(match.Index, $"{layer} names {match.Value}", fix));
    }

    private static bool MayName(string layer, string other) => layer switch
    {
        "Domain" or "Telemetry" => other == layer,
        "Tasks" or "Storage" or "Operations" =>
            other == layer || other is not ("Hosting" or "Tasks" or "Storage" or "Operations"),
        "Http" => other is not ("Hosting" or "Tasks" or "Storage" or "Operations"),
        "Configuration" => other is "Configuration" or "Telemetry",
        _ => true,
    };

    /// <summary>What else a layer must not name, and what to do instead.</summary>
    private static (Regex Foreign, string Fix) RuleOf(string layer, Layout layout) => layer switch
    {
        // The framework's namespaces are used implicitly all over the service, so its best-known types count, too.
        "Domain" => (
            new Regex(@"\bMicrosoft\.AspNetCore\b|\b(Http(Context|Request|Response|Methods)|StatusCodes)\b"
                + @"|\b(IHeaderDictionary|IResult|TypedResults|WebApplication)\b"
                + $@"|(?<![\w.])({string.Join('|', layout.RootTypes)})\b"),
            "the domain knows nobody: declare here what it needs, and let the other provide it"),
        "Telemetry" => (
            new Regex(@"\bMicrosoft\.AspNetCore\b|\b\w*(?i:npgsql|sqlite)\w*"),
            "the library outlives the service: let the service hand over what is needed"),
        "Configuration" => (new Regex("(?!)"), "let the layer that is configured read its own ConfigSection"),
        _ => (new Regex("(?!)"), "siblings never name each other: move what both need to Domain, or join them outside"),
    };

    private static IEnumerable<Finding> Misplaced(Layout layout, SourceFile file)
    {
        if (layout.NamespaceOf(file.Path) is not { } expected)
        {
            return [];
        }
        var code = file.CSharp.Code;
        var declared = Regex.Matches(code, @"\bnamespace\s+(?<name>[\w.]+)").ToList();
        if (declared.Count == 0)
        {
            return Regex.Matches(code, @"\b(class|struct|interface|record|enum|delegate)\s+\w").Take(1)
                .Select(type => file.Finding(type.Index, "a type without a namespace", $"write namespace {expected};"));
        }
        return declared.Where(match => match.Groups["name"].Value != expected)
            .Select(name => file.Finding(name.Index, $"{name} is not the folder's", $"write namespace {expected};"));
    }
}
